/** Several values: lists of the workspace, values of an enum, texts, or filters. */

import { useRef, useState } from "react";

import { FilterEditor } from "./FilterEditor";
import type { Shape } from "./shapes";
import { TextEditor } from "./TextEditor";
import { useFocusAfter } from "./useFocusAfter";
import type { ValueProps } from "./ValueEditor";
import { fieldsOf, initialFields, type Value } from "./values";
import { useVocabulary } from "./vocabulary";

type ListsProps = ValueProps & { lists: { id: string; name: string; memberCount: number }[] };

/** Checkboxes for segments or groups. */
export function ListsEditor({ lists, ...props }: ListsProps) {
  const choices = lists.map((it) => ({ value: it.id, shown: it.name, hint: it.memberCount.toLocaleString() }));
  return <Ticks {...props} choices={choices} />;
}

/** Checkboxes for the values of an enum. */
export function ValuesEditor({ values, ...props }: ValueProps & { values: string[] }) {
  const choices = values.map((it) => ({ value: it, shown: it.toLowerCase().replaceAll("_", " "), hint: "" }));
  return <Ticks {...props} choices={choices} />;
}

type TicksProps = ValueProps & { choices: { value: string; shown: string; hint: string }[] };

function Ticks({ value, onChange, label, choices }: TicksProps) {
  const chosen = itemsOf(value);
  const unlisted = chosen
    .map(String)
    .filter((it) => !choices.some(({ value: listed }) => listed === it))
    .map((it) => ({ value: it, shown: "one that is not in this list", hint: "" }));
  return (
    <span className="ticks" role="group" aria-label={label}>
      {[...choices, ...unlisted].map((it) => (
        <label key={it.value}>
          <input
            type="checkbox"
            checked={chosen.includes(it.value)}
            onChange={(event) =>
              onChange(event.target.checked ? [...chosen, it.value] : chosen.filter((one) => one !== it.value))
            }
          />
          {it.shown} {it.hint && <span className="quiet">{it.hint}</span>}
        </label>
      ))}
      {choices.length + unlisted.length === 0 && <span className="quiet">none exist yet</span>}
    </span>
  );
}

/** Texts or numbers. Enter or a comma ends each one. */
export function TextsEditor({ field, value, onChange, place, label }: ValueProps) {
  const [typed, setTyped] = useState("");
  const texts = useRef<HTMLSpanElement>(null);
  const focusAfter = useFocusAfter(texts);
  const items = itemsOf(value);

  function add(text: string) {
    const item = field.type.name === "Float" ? Number(text) : text.trim();
    setTyped("");
    if (text.trim() && !Number.isNaN(item) && !items.includes(item)) onChange([...items, item]);
  }
  function remove(item: Value) {
    focusAfter("input");
    onChange(items.filter((it) => it !== item));
  }

  return (
    <span className="texts" ref={texts}>
      {items.map((it) => (
        <span className="token" key={String(it)}>
          {String(it)}
          <button
            type="button"
            className="plain remove"
            aria-label={`Remove ${it} from ${label}`}
            onClick={() => remove(it)}
          >
            ×
          </button>
        </span>
      ))}
      <TextEditor
        value={typed}
        onChange={(text) => (text.endsWith(",") ? add(text.slice(0, -1)) : setTyped(text))}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          add(typed);
        }}
        place={place}
        label={`${label}: add one, then press Enter`}
        placeholder="add, Enter"
        isRequired={items.length === 0}
      />
    </span>
  );
}

type ItemsProps = ValueProps & { shape: Shape & { kind: "input" } };

/** Filters that must all hold, such as those of an event's properties. */
export function ItemsEditor({ value, onChange, place, label, shape }: ItemsProps) {
  const { shapes } = useVocabulary();
  const list = useRef<HTMLSpanElement>(null);
  const focusAfter = useFocusAfter(list);
  const items = itemsOf(value);

  function add() {
    focusAfter(":scope > span:last-of-type :is(input, select)");
    onChange([...items, initialFields(shape, shapes)]);
  }
  function remove(index: number) {
    focusAfter(":scope > button");
    onChange(items.toSpliced(index, 1));
  }

  return (
    <span className="items" ref={list}>
      {items.map((item, index) => (
        <span className="part" key={index}>
          <FilterEditor
            shape={shape}
            fields={fieldsOf(item)}
            onChange={(next) => onChange(items.with(index, next))}
            scope={place}
            label={`${label} ${index + 1}`}
          />
          <button
            type="button"
            className="plain remove"
            aria-label={`Remove ${label} ${index + 1}`}
            onClick={() => remove(index)}
          >
            ×
          </button>
        </span>
      ))}
      <button type="button" className="plain add" onClick={add}>
        + one
      </button>
    </span>
  );
}

function itemsOf(value: Value): Value[] {
  return Array.isArray(value) ? value : [];
}
