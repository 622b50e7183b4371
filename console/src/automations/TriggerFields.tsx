import { within, type Issue } from "../builder/usePreview";
import type { Vocabulary } from "../builder/vocabulary";
import { UNITS, type Draft, type Unit } from "./draft";
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
          <select {...control} value={draft.on} onChange={(event) => onChange({ on: event.target.value as Draft["on"] })}>
            <option value="ENTERED">enters</option>
            <option value="LEFT">leaves</option>
            <option value="BOTH">enters or leaves</option>
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
      <Field label={draft.on === "LEFT" ? "And stays away for" : "And stays"} issues={within(issues, ["holdFor"])}>
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
            <UnitSelect label="Unit" unit={draft.unit} onChange={(unit) => onChange({ unit })} />
          </>
        )}
      </Field>
    </>
  );
}

type UnitSelectProps = { label: string; unit: Unit; onChange: (unit: Unit) => void };

export function UnitSelect({ label, unit, onChange }: UnitSelectProps) {
  return (
    <select aria-label={label} value={unit} onChange={(event) => onChange(event.target.value as Unit)}>
      {UNITS.map((it) => (
        <option key={it}>{it}</option>
      ))}
    </select>
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
