import { useId, type ReactNode } from "react";

import type { Issue } from "../builder/usePreview";

export type Described = { id: string; "aria-invalid": boolean; "aria-describedby": string };

type FieldProps = {
  label: string;
  /** What the API refused about this field. */
  issues: readonly Issue[];
  children: (control: Described) => ReactNode;
};

/** A label, its control, and what the API refused about it. */
export function Field({ label, issues, children }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="controls">
        {children({ id, "aria-invalid": issues.length > 0, "aria-describedby": `${id}-problem` })}
      </div>
      <p id={`${id}-problem`} className="problem" role="alert">
        {issues.map((it) => it.message).join("; ")}
      </p>
    </div>
  );
}
