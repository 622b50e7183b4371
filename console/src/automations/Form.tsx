import { useEffect, useRef, useState, type FormEvent } from "react";

import { within, type Issue } from "../builder/usePreview";
import type { Vocabulary } from "../builder/vocabulary";
import { Conflict } from "../Conflict";
import type { EditedAutomationFragment } from "../gql/graphql";
import { AUTOMATIONS, go, toAutomation } from "../paths";
import { ActionFields } from "./ActionFields";
import { BLANK, draftOf, inputOf, isComplete, type Draft } from "./draft";
import { Field } from "./Field";
import { LoopWay } from "./LoopWay";
import { PreviewPane } from "./PreviewPane";
import { ReentryField } from "./ReentryField";
import { refusalsOf, useSaving, type Answer } from "./saving";
import { reasonsAgainst } from "./simple";
import { TriggerFields } from "./TriggerFields";
import { useAutomationPreview } from "./useAutomationPreview";

type FormProps = {
  vocabulary: Vocabulary;
  /** The automation as it was read; null for a new one. */
  edited: EditedAutomationFragment | null;
  /** The visitor drops the edit for that of somebody else. */
  onTake: (current: EditedAutomationFragment) => void;
};

export function Form({ vocabulary, edited, onTake }: FormProps) {
  const typeOf = (key: string) => vocabulary.fields.find((it) => it.key === key)?.type;
  const [draft, setDraft] = useState<Draft>(() => (edited ? draftOf(edited, typeOf) : BLANK));
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { save, isSaving } = useSaving();
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const issues = refusalsOf(answer);
  const input = inputOf(draft, typeOf(draft.field));
  const preview = useAutomationPreview(isComplete(draft) ? input : null);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [answer]);

  function change(changed: Partial<Draft>) {
    setDraft({ ...draft, ...changed });
    setAnswer(null);
    setProblem(null);
  }

  async function saveOver(base: EditedAutomationFragment | null) {
    const saved = await save(draft, typeOf(draft.field), base);
    if (saved.answer?.__typename === "Automation") go(toAutomation(saved.answer.id));
    setAnswer(saved.answer);
    setProblem(saved.problem);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void saveOver(edited);
  }

  const parts = { draft, onChange: change, vocabulary, issues };
  return (
    <form ref={form} className="automation-form" noValidate onSubmit={submit}>
      <h2 ref={heading} tabIndex={-1}>
        {edited ? `Edit “${edited.name}”` : "New automation"}
      </h2>
      <TriggerFields {...parts} />
      <ActionFields {...parts} />
      {answer?.__typename === "AutomationLoop" && <LoopWay way={answer.way} />}
      <ReentryField {...parts} />
      {!edited && (
        <label className="check">
          <input
            type="checkbox"
            checked={draft.isForExisting}
            onChange={(event) => change({ isForExisting: event.target.checked })}
          />
          Also for the people who are in it already
        </label>
      )}
      <Field label="Name" issues={within(issues, ["name"])}>
        {(control) => (
          <input
            {...control}
            type="text"
            maxLength={200}
            placeholder="Win back"
            value={draft.name}
            onChange={(event) => change({ name: event.target.value })}
          />
        )}
      </Field>
      {answer?.__typename === "AutomationConflict" && (
        <Conflict
          noun="automation"
          canOverwrite={answer.current !== null && reasonsAgainst(answer.current, vocabulary).length === 0}
          isSaving={isSaving}
          onTake={() => answer.current && onTake(answer.current)}
          onOverwrite={() => void saveOver(answer.current)}
        >
          {answer.current && (
            <p className="summary">
              It is now: <strong>{answer.current.name}</strong> – {answer.current.summary}
            </p>
          )}
        </Conflict>
      )}
      <div className="save">
        <button type="submit" className="primary" disabled={isSaving}>
          {isSaving ? "Saving…" : "Save automation"}
        </button>
        <a href={edited ? toAutomation(edited.id) : AUTOMATIONS}>Cancel</a>
        <p className="problem" role="alert">
          {problem ?? elsewhere(issues)}
        </p>
      </div>
      {/* Below the button: what is counted late must not move it away from under a pointer. */}
      <PreviewPane preview={preview} draft={draft} isNew={edited === null} />
    </form>
  );
}

const SHOWN_AT_FIELDS = ["on", "trigger", "holdFor", "reentry", "actions", "name"];

/** The refusals that belong to no field of the form. */
function elsewhere(issues: readonly Issue[]): string {
  const others = issues.filter((it) => !SHOWN_AT_FIELDS.includes(it.path[0] ?? ""));
  return others.map((it) => it.message).join("; ");
}
