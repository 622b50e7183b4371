import { within, type Issue } from "../builder/usePreview";
import type { Vocabulary } from "../builder/vocabulary";
import type { MembershipChangeKind } from "../gql/graphql";
import type { Draft, Unit } from "./draft";
import { Field } from "./Field";

export type PartProps = {
  draft: Draft;
  onChange: (changed: Partial<Draft>) => void;
  vocabulary: Vocabulary;
  issues: readonly Issue[];
};

/** When the automation acts: the list, entering or leaving, and how long the person must stay. */
export function TriggerFields({ draft, onChange, vocabulary, issues }: PartProps) {
  return (
    <>
      <Field label="When somebody" issues={within(issues, ["on"])}>
        {(control) => (
          <select {...control} value={draft.on} onChange={(event) => onChange({ on: event.target.value as MembershipChangeKind })}>
            <option value="ENTERED">enters</option>
            <option value="LEFT">leaves</option>
          </select>
        )}
      </Field>
      <Field label="Segment or group" issues={within(issues, ["trigger"])}>
        {(control) => (
          <select {...control} value={draft.list} onChange={(event) => onChange({ list: event.target.value })}>
            <option value="">Choose…</option>
            <Lists label="Segments" kind="segment" lists={vocabulary.segments} />
            <Lists label="Groups" kind="group" lists={vocabulary.groups} />
          </select>
        )}
      </Field>
      <Field label={draft.on === "ENTERED" ? "And stays" : "And stays away for"} issues={within(issues, ["holdFor"])}>
        {(control) => (
          <>
            <input
              {...control}
              type="number"
              step={1}
              placeholder="0"
              value={draft.hold}
              onChange={(event) => onChange({ hold: event.target.value })}
            />
            <select aria-label="Unit" value={draft.unit} onChange={(event) => onChange({ unit: event.target.value as Unit })}>
              {["minutes", "hours", "days", "weeks"].map((unit) => (
                <option key={unit}>{unit}</option>
              ))}
            </select>
          </>
        )}
      </Field>
    </>
  );
}

type ListsProps = { label: string; kind: "segment" | "group"; lists: Vocabulary["segments"] };

function Lists({ label, kind, lists }: ListsProps) {
  return (
    <optgroup label={label}>
      {lists.map((it) => (
        <option key={it.id} value={`${kind}:${it.id}`}>
          {it.name}
        </option>
      ))}
    </optgroup>
  );
}
