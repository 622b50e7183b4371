import { useId, useRef } from "react";

import type { FilterProps } from "./FilterEditor";
import type { Field } from "./shapes";
import { useFocusAfter } from "./useFocusAfter";
import { ValueEditor } from "./ValueEditor";
import { initial, type Fields } from "./values";
import { useVocabulary } from "./vocabulary";

/** The fields of a record: the required ones, and buttons that add the others. */
export function RecordEditor({ shape, fields, onChange, scope, label }: FilterProps) {
  const { shapes } = useVocabulary();
  const help = useId();
  const record = useRef<HTMLSpanElement>(null);
  const focusAfter = useFocusAfter(record);
  const inner = "name" in fields && typeof fields.name === "string" ? { ...scope, event: fields.name } : scope;
  const isShown = (it: Field) => it.type.isRequired || it.name in fields;

  function add(part: Field) {
    focusAfter(`[data-part="${part.name}"] :is(input, select, button)`);
    onChange({ ...fields, [part.name]: initial(part.type, shapes) });
  }
  function remove(part: Field) {
    focusAfter(`button[data-part="${part.name}"]`);
    onChange(without(fields, part.name));
  }

  return (
    <span className="filter record" ref={record}>
      {shape.fields.filter(isShown).map((it) => (
        <span className="part" key={it.name} data-part={it.name}>
          {it.name !== "name" && <span className="part-label">{it.label}</span>}
          <ValueEditor
            field={it}
            value={fields[it.name]}
            onChange={(value) => onChange({ ...fields, [it.name]: value })}
            place={{ ...inner, shape: shape.name, field: it.name }}
            label={`${label} ${it.label}`}
          />
          {!it.type.isRequired && (
            <button
              type="button"
              className="plain remove"
              aria-label={`Remove: ${label} ${it.label}`}
              onClick={() => remove(it)}
            >
              ×
            </button>
          )}
        </span>
      ))}
      {shape.fields
        .filter((it) => !isShown(it))
        .map((it) => (
          <button
            key={it.name}
            type="button"
            className="plain add"
            data-part={it.name}
            title={it.description}
            aria-describedby={help}
            onClick={() => add(it)}
          >
            + {it.label}
          </button>
        ))}
      <span id={help} hidden>
        Narrows {label} down.
      </span>
    </span>
  );
}

function without(fields: Fields, name: string): Fields {
  const { [name]: _, ...rest } = fields;
  return rest;
}
