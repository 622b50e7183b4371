import type { CustomFieldType } from "../gql/graphql";
import type { Described } from "./Field";

type ValueProps = {
  control: Described;
  type: CustomFieldType | undefined;
  value: string;
  onChange: (value: string) => void;
};

const INPUTS: Partial<Record<CustomFieldType, string>> = { NUMBER: "number", DATE: "date", DATETIME: "datetime-local" };

/** A control for the field's type. Blank removes the value. */
export function Value({ control, type = "TEXT", value, onChange }: ValueProps) {
  if (type === "BOOLEAN")
    return (
      <select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">no value</option>
        <option value="true">yes</option>
        <option value="false">no</option>
      </select>
    );
  return (
    <input
      {...control}
      type={INPUTS[type] ?? "text"}
      step={type === "NUMBER" ? "any" : undefined}
      placeholder={type === "LIST" ? "one, two" : "no value"}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
