import { useEffect, useId, useRef, useState, type FormEvent } from "react";

import { Conflict } from "../Conflict";
import type { ConditionInput, EditedSegmentFragment } from "../gql/graphql";
import { go, HOME, keepInAddress, toSegment } from "../paths";
import { useSaving, type Saved } from "../segments/saving";
import { markSaved } from "../unsaved";
import { BracketEditor } from "./BracketEditor";
import type { Edited } from "./address";
import { Difference } from "./Difference";
import { conditionOf, draftOf } from "./draft";
import { PreviewPane } from "./PreviewPane";
import { Templates } from "./Templates";
import { useEdited } from "./useEdited";
import { issuesOf, usePreview } from "./usePreview";
import type { Fields } from "./values";
import type { Vocabulary } from "./vocabulary";

type SegmentFormProps = {
  vocabulary: Vocabulary;
  /** What the form begins with, unless the address has a draft. */
  start: () => Edited;
  /** The segment that is edited; null for a new one. */
  segment: EditedSegmentFragment | null;
  /** The visitor drops the edit for that of somebody else. */
  onTake?: (current: EditedSegmentFragment) => void;
};

/** A segment's condition with a preview, and its name. */
export function SegmentForm({ vocabulary, start, segment, onTake }: SegmentFormProps) {
  const { edited, change, hasChanges, keptRevision, notice } = useEdited(start, segment?.revision ?? null);
  const [answer, setAnswer] = useState<Saved | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { saveNew, saveEdit, isSaving } = useSaving();
  const field = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const ids = useId();
  const { name, description, bracket } = edited;
  const condition = conditionOf(bracket, vocabulary);
  const preview = usePreview(condition, segment?.id ?? null);
  const revision = keptRevision ?? segment?.revision ?? 0;

  useEffect(() => heading.current?.focus(), []);

  function changed(parts: Partial<Edited>) {
    change(parts);
    setAnswer(null);
    setProblem(null);
  }

  async function save(overwritten: EditedSegmentFragment | null) {
    if (!name.trim()) {
      setProblem("Give it a name first.");
      return field.current?.focus();
    }
    if (!condition) return setProblem("The condition is not complete.");
    const given = { name: name.trim(), description: description.trim() || null };
    const isSame = segment !== null && overwritten === null && isCondition(condition, segment, vocabulary);
    const saved = await (segment === null
      ? saveNew({ ...given, condition })
      : saveEdit({
          id: segment.id,
          ifRevision: overwritten?.revision ?? revision,
          ...given,
          ...(!isSame && { condition }),
        }));
    setAnswer(saved);
    setProblem(saved.problem);
    if (saved.id === null) return;
    markSaved();
    go(toSegment(saved.id));
  }

  function take(current: EditedSegmentFragment) {
    markSaved();
    keepInAddress("");
    onTake?.(current);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void save(null);
  }

  const current = answer?.current;
  return (
    <form className="builder" noValidate onSubmit={submit}>
      <h2 ref={heading} tabIndex={-1}>
        {segment ? `Edit “${segment.name}”` : "New segment"}
      </h2>
      {segment === null && <Templates hasChanges={hasChanges} onChoose={changed} />}
      <div className="draft">
        <div className="tree">
          <BracketEditor
            bracket={bracket}
            onChange={(next) => changed({ bracket: next })}
            issues={preview.isStale ? [] : issuesOf(preview.answer)}
          />
        </div>
        {segment !== null && current !== undefined && (
          <Conflict
            noun="segment"
            canOverwrite={condition !== null}
            isSaving={isSaving}
            onTake={() => current && take(current)}
            onOverwrite={() => void save(current)}
          >
            {current && condition && (
              <Difference
                mine={{ name: name.trim(), description: description.trim(), condition }}
                theirs={versionOf(current)}
                base={revision === segment.revision ? versionOf(segment) : null}
              />
            )}
          </Conflict>
        )}
        <div className="save">
          <div className="save-field">
            <label htmlFor={`${ids}-name`}>Name</label>
            <input
              id={`${ids}-name`}
              ref={field}
              type="text"
              maxLength={200}
              placeholder="Back again"
              value={name}
              aria-describedby={`${ids}-problem`}
              onChange={(event) => changed({ name: event.target.value })}
            />
          </div>
          <div className="save-field">
            <label htmlFor={`${ids}-description`}>Description</label>
            <input
              id={`${ids}-description`}
              type="text"
              maxLength={2000}
              placeholder="What it is for (optional)"
              value={description}
              onChange={(event) => changed({ description: event.target.value })}
            />
          </div>
          <div className="save-buttons">
            <button type="submit" className="primary" disabled={isSaving}>
              {isSaving ? "Saving…" : "Save segment"}
            </button>
            <a href={segment ? toSegment(segment.id) : HOME}>Cancel</a>
          </div>
          <p id={`${ids}-problem`} className="problem" role="alert">
            {problem}
          </p>
          <p className="quiet" role="status">
            {notice}
          </p>
        </div>
      </div>
      {/* Beside or below the button: what is counted late must not move it away from under a pointer. */}
      <PreviewPane preview={preview} condition={condition} isEdit={segment !== null} />
    </form>
  );
}

function versionOf({ name, description, condition }: EditedSegmentFragment) {
  return { name, description: description ?? "", condition: condition as ConditionInput };
}

/** Whether the condition is still that of the segment. Sending it again would let its members be found again. */
function isCondition(condition: ConditionInput, segment: EditedSegmentFragment, vocabulary: Vocabulary): boolean {
  const unchanged = conditionOf(draftOf(segment.condition as Fields), vocabulary);
  return JSON.stringify(condition) === JSON.stringify(unchanged);
}
