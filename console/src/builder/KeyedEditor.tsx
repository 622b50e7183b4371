/** Filters with a key and one of several filters for its value: custom fields and properties of events. */

import type { CustomFieldType } from "../gql/graphql";
import type { FilterProps } from "./FilterEditor";
import { OneOfEditor } from "./FilterEditor";
import { TextEditor } from "./TextEditor";
import { ValueEditor } from "./ValueEditor";
import { initial, type Fields } from "./values";
import { useVocabulary, type Vocabulary } from "./vocabulary";

/** The filter that fits a custom field's type. */
const FILTERS: Record<CustomFieldType, string> = {
  TEXT: "text",
  NUMBER: "number",
  BOOLEAN: "boolean",
  DATE: "date",
  DATETIME: "time",
  LIST: "list",
};

export function KeyedEditor({ shape, fields, onChange, scope, label }: FilterProps) {
  const vocabulary = useVocabulary();
  const key = typeof fields.key === "string" ? fields.key : "";
  const isField = shape.name === "FieldFilter";
  const filters = shape.fields.filter((it) => it.name !== "key" && (!isField || it.name === filterOf(key, vocabulary)));
  const { key: _, ...rest } = fields;

  function choose(chosen: string) {
    const name = isField ? filterOf(chosen, vocabulary) : (Object.keys(rest)[0] ?? "text");
    const filter = shape.fields.find((it) => it.name === name);
    const value = filter && (rest[filter.name] ?? initial(filter.type, vocabulary.shapes));
    onChange({ key: chosen, ...(filter && { [filter.name]: value }) } as Fields);
  }

  return (
    <span className="filter">
      {isField ? (
        <select required aria-label={`${label}: which`} value={key} onChange={(event) => choose(event.target.value)}>
          <option value="">which field…</option>
          {vocabulary.fields.map((it) => (
            <option key={it.key} value={it.key}>
              {it.label}
            </option>
          ))}
        </select>
      ) : (
        <TextEditor
          value={key}
          onChange={choose}
          place={{ ...scope, shape: shape.name, field: "key" }}
          label={`${label}: which property`}
          placeholder="property"
          isRequired
        />
      )}
      {key && isField && filters[0] && (
        <ValueEditor
          field={filters[0]}
          value={rest[filters[0].name]}
          onChange={(value) => onChange({ key, [filters[0]!.name]: value })}
          place={{ ...scope, key, shape: shape.name, field: filters[0].name }}
          label={key}
        />
      )}
      {key && !isField && (
        <OneOfEditor
          shape={{ ...shape, oneOf: true, fields: filters }}
          fields={rest}
          onChange={(next) => onChange({ key, ...next })}
          scope={{ ...scope, key }}
          label={`${label} ${key}`}
        />
      )}
    </span>
  );
}

function filterOf(key: string, { fields }: Vocabulary): string | undefined {
  const field = fields.find((it) => it.key === key);
  return field && FILTERS[field.type];
}
