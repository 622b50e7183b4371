/** Draws the editor of one value by its type: a nested filter, a list, an enum, or a scalar. */

import type { Place } from "./choices";
import { listsAt } from "./choices";
import { FilterEditor } from "./FilterEditor";
import { ItemsEditor, ListsEditor, TextsEditor, ValuesEditor } from "./ListEditors";
import { ScalarEditor } from "./ScalarEditor";
import type { Field } from "./shapes";
import { fieldsOf, type Value } from "./values";
import { useVocabulary } from "./vocabulary";

export type ValueProps = {
  field: Field;
  value: Value;
  onChange: (value: Value) => void;
  place: Place;
  label: string;
};

export function ValueEditor(props: ValueProps) {
  const vocabulary = useVocabulary();
  const { field, value, onChange, place, label } = props;
  const shape = vocabulary.shapes.get(field.type.name);
  const lists = field.type.name === "ID" ? listsAt(place, vocabulary) : null;

  if (lists) return <ListsEditor {...props} lists={lists} />;
  if (field.type.isList) {
    if (shape?.kind === "input") return <ItemsEditor {...props} shape={shape} />;
    return shape?.kind === "enum" ? <ValuesEditor {...props} values={shape.values} /> : <TextsEditor {...props} />;
  }
  if (shape?.kind === "input")
    return <FilterEditor shape={shape} fields={fieldsOf(value)} onChange={onChange} scope={place} label={label} />;
  if (shape?.kind === "enum")
    return (
      <select aria-label={label} value={String(value)} onChange={(event) => onChange(event.target.value)}>
        {shape.values.map((it) => (
          <option key={it} value={it}>
            {it.toLowerCase().replaceAll("_", " ")}
          </option>
        ))}
      </select>
    );
  return <ScalarEditor {...props} />;
}
