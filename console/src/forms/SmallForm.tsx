import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";

import { within, type Issue } from "../builder/usePreview";
import type { Refused } from "./refusals";

type SmallFormProps = {
  title: string;
  /** What the button says that saves. */
  save: string;
  /** Where "Cancel" leads. */
  back: string;
  /** The parts of the input that have a field here. Refusals of other parts are shown below the form. */
  parts: readonly string[];
  /** Saves, and returns what was refused; null if nothing was. */
  onSave: () => Promise<Refused | null>;
  /** The fields. `refused` gives what was refused about a part of the input. */
  children: (refused: (part: string) => Issue[]) => ReactNode;
};

const NOTHING: Refused = { issues: [], problem: null };

/** A form of a few fields. What the API refuses is shown at its field, and the first of these fields gets the focus. */
export function SmallForm({ title, save, back, parts, onSave, children }: SmallFormProps) {
  const [{ issues, problem }, setRefused] = useState(NOTHING);
  const [isSaving, setIsSaving] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const others = issues.filter((it) => !parts.includes(it.path[0] ?? "")).map((it) => it.message);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [issues]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setIsSaving(true);
    const refused = await onSave();
    setIsSaving(false);
    setRefused(refused ?? NOTHING);
  }

  return (
    <form ref={form} className="automation-form" noValidate onSubmit={(event) => void submit(event)}>
      <h2 ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {children((part) => within(issues, [part]))}
      <div className="save">
        <button type="submit" className="primary" disabled={isSaving}>
          {isSaving ? "Saving…" : save}
        </button>
        <a href={back}>Cancel</a>
        <p className="problem" role="alert">
          {problem ?? others.join("; ")}
        </p>
      </div>
    </form>
  );
}
