import { within } from "../builder/usePreview";
import type { Draft } from "./draft";
import { Field } from "./Field";
import { UnitSelect, type PartProps } from "./TriggerFields";

/** How often the automation may act for one person. */
export function ReentryField({ draft, onChange, issues }: PartProps) {
  return (
    <Field label="For one person" issues={within(issues, ["reentry"])}>
      {(control) => (
        <>
          <select
            {...control}
            value={draft.reentry}
            onChange={(event) => onChange({ reentry: event.target.value as Draft["reentry"] })}
          >
            <option value="EVERY_TIME">every time</option>
            <option value="ONCE">only once</option>
            <option value="ONCE_IN">at most once in</option>
          </select>
          {draft.reentry === "ONCE_IN" && (
            <>
              <input
                type="number"
                aria-label="Length"
                min={1}
                step={1}
                value={draft.onceIn}
                onChange={(event) => onChange({ onceIn: event.target.value })}
              />
              <UnitSelect label="Unit of the length" unit={draft.onceUnit} onChange={(onceUnit) => onChange({ onceUnit })} />
            </>
          )}
        </>
      )}
    </Field>
  );
}
