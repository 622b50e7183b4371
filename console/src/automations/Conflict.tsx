import { useEffect, useRef } from "react";

import type { EditedAutomationFragment } from "../gql/graphql";

type ConflictProps = {
  /** The automation as it is now; null if it was deleted. */
  current: EditedAutomationFragment | null;
  /** Whether the form shows everything that saving would replace. */
  canOverwrite: boolean;
  isSaving: boolean;
  onTake: (current: EditedAutomationFragment) => void;
  onOverwrite: (current: EditedAutomationFragment) => void;
};

/** Somebody else saved the automation after it was read here. Nothing was saved, and the visitor decides. */
export function Conflict({ current, canOverwrite, isSaving, onTake, onOverwrite }: ConflictProps) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <section ref={box} className="conflict" aria-label="Conflict" tabIndex={-1} role="alert">
      {current ? (
        <>
          <p>Somebody else has changed this automation since you opened it, so your changes are not saved. It is now:</p>
          <p className="summary">
            <strong>{current.name}</strong> – {current.summary}
          </p>
          <p className="pausing">
            <button type="button" onClick={() => onTake(current)}>
              Drop my changes
            </button>
            {canOverwrite && (
              <button type="button" disabled={isSaving} onClick={() => onOverwrite(current)}>
                Save mine over it
              </button>
            )}
          </p>
        </>
      ) : (
        <p>Somebody else has deleted this automation since you opened it.</p>
      )}
    </section>
  );
}
