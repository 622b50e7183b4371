import { useId } from "react";

import { useChoices, type Place } from "./choices";

type TextEditorProps = {
  value: string;
  onChange: (value: string) => void;
  place: Place;
  label: string;
  placeholder?: string;
  isRequired?: boolean;
  onKeyDown?: (event: React.KeyboardEvent) => void;
};

/** A text field with suggestions. The browser's own datalist needs no mouse and no library. */
export function TextEditor({ value, onChange, place, label, placeholder, isRequired = false, onKeyDown }: TextEditorProps) {
  const choices = useChoices(place, value);
  const list = useId();
  return (
    <>
      <input
        type="text"
        list={list}
        aria-label={label}
        placeholder={placeholder}
        spellCheck={false}
        required={isRequired}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <datalist id={list}>
        {choices.map((it) => (
          <option key={it.value} value={it.value} label={it.label} />
        ))}
      </datalist>
    </>
  );
}
