import type { Issue } from "../builder/usePreview";
import { Field } from "../automations/Field";

type TextFieldProps = {
  label: string;
  issues: readonly Issue[];
  value: string;
  onChange: (value: string) => void;
  longest: number;
  example?: string;
  /** A sentence below the field. */
  help?: string;
};

/** A field for one line of text. */
export function TextField({ label, issues, value, onChange, longest, example, help }: TextFieldProps) {
  return (
    <>
      <Field label={label} issues={issues}>
        {(control) => (
          <input
            {...control}
            type="text"
            autoComplete="off"
            spellCheck={false}
            maxLength={longest}
            placeholder={example}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
        )}
      </Field>
      {help && <p className="quiet help">{help}</p>}
    </>
  );
}
