/** Draws any input type of the schema: one of several comparisons, or a record with several fields. */

import { KeyedEditor } from "./KeyedEditor";
import { RecordEditor } from "./RecordEditor";
import type { Field, Shape } from "./shapes";
import { ValueEditor } from "./ValueEditor";
import { initial, isDuration, type Fields, type Value } from "./values";
import { useVocabulary } from "./vocabulary";

export type Scope = { kind: string; event?: string; key?: string };

export type FilterProps = {
  shape: Shape & { kind: "input" };
  fields: Fields;
  onChange: (fields: Fields) => void;
  scope: Scope;
  /** The name for screen readers. */
  label: string;
};

export function FilterEditor(props: FilterProps) {
  const { shape } = props;
  if (shape.name === "FieldFilter" || shape.name === "PropertyFilter") return <KeyedEditor {...props} />;
  if (isDuration(shape.name)) return <DurationEditor {...props} />;
  return shape.oneOf ? <OneOfEditor {...props} /> : <RecordEditor {...props} />;
}

/** Exactly one comparison: a choice of the operator, and its value. */
export function OneOfEditor({ shape, fields, onChange, scope, label }: FilterProps) {
  const { shapes } = useVocabulary();
  const chosen = shape.fields.find((it) => it.name in fields);

  function choose(name: string) {
    const next = shape.fields.find((it) => it.name === name);
    if (next) onChange({ [name]: kept(fields, chosen, next) ?? initial(next.type, shapes) });
  }

  return (
    <span className="filter">
      <select
        aria-label={`${label}: comparison`}
        title={chosen?.description}
        required
        value={chosen?.name ?? ""}
        onChange={(event) => choose(event.target.value)}
      >
        {!chosen && <option value="">choose…</option>}
        {shape.fields.map((it) => (
          <option key={it.name} value={it.name}>
            {it.label}
          </option>
        ))}
      </select>
      {chosen && (
        <ValueEditor
          field={chosen}
          value={fields[chosen.name]}
          onChange={(value) => onChange({ [chosen.name]: value })}
          place={{ ...inside(shape, chosen, scope), shape: shape.name, field: chosen.name }}
          label={`${label} ${chosen.label}`}
        />
      )}
    </span>
  );
}

/** A condition inside a filter begins a leaf of its own. */
function inside(shape: Shape, chosen: Field, scope: Scope): Scope {
  return shape.name === "ConditionInput" ? { kind: chosen.name } : scope;
}

/** Keeps the typed value when the new operator has the same type, for example from "is" to "starts with". */
function kept(fields: Fields, chosen: Field | undefined, next: Field): Value {
  if (!chosen || chosen.type.name !== next.type.name || chosen.type.isList !== next.type.isList) return undefined;
  return fields[chosen.name];
}

/** A number, then its unit. */
function DurationEditor({ shape, fields, onChange, label }: FilterProps) {
  const unit = Object.keys(fields)[0] ?? "days";
  const amount = fields[unit];
  return (
    <span className="filter">
      <input
        type="number"
        min={1}
        required
        aria-label={`${label}: how many`}
        value={typeof amount === "number" ? amount : ""}
        onChange={(event) => onChange({ [unit]: event.target.value === "" ? undefined : event.target.valueAsNumber })}
      />
      <select
        aria-label={`${label}: unit`}
        value={unit}
        onChange={(event) => onChange({ [event.target.value]: amount })}
      >
        {shape.fields.map((it) => (
          <option key={it.name} value={it.name}>
            {it.label}
          </option>
        ))}
      </select>
    </span>
  );
}
