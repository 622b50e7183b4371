import { TextEditor } from "./TextEditor";
import type { ValueProps } from "./ValueEditor";

/** A text, a number, yes or no, a day or an instant. */
export function ScalarEditor({ field, value, onChange, place, label }: ValueProps) {
  switch (field.type.name) {
    case "Boolean":
      return (
        <select aria-label={label} value={String(value)} onChange={(event) => onChange(event.target.value === "true")}>
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      );
    case "Int":
    case "Float":
      return (
        <input
          type="number"
          required
          step={field.type.name === "Int" ? 1 : "any"}
          aria-label={label}
          value={typeof value === "number" ? value : ""}
          onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.valueAsNumber)}
        />
      );
    case "Date":
      return (
        <input
          type="date"
          required
          aria-label={label}
          value={String(value ?? "")}
          onChange={(event) => onChange(event.target.value || undefined)}
        />
      );
    case "DateTime":
      return (
        <input
          type="datetime-local"
          required
          aria-label={label}
          value={typeof value === "string" ? localTime(value) : ""}
          onChange={(event) => onChange(event.target.value ? new Date(event.target.value).toISOString() : undefined)}
        />
      );
    default:
      return (
        <TextEditor
          value={String(value ?? "")}
          onChange={onChange}
          place={place}
          label={label}
          placeholder={field.label}
          isRequired
        />
      );
  }
}

/** An instant in the form that the control expects: in the visitor's time zone, without naming it. */
function localTime(instant: string): string {
  const date = new Date(instant);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
