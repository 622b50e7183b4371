import { useEffect, useRef, type ReactNode } from "react";

type ConflictProps = {
  /** What was edited, such as "segment". */
  noun: string;
  /** What it is now; null if it was deleted. */
  children: ReactNode;
  /** Whether the form shows everything that saving would replace. */
  canOverwrite: boolean;
  isSaving: boolean;
  onTake: () => void;
  onOverwrite: () => void;
};

/** Somebody else saved the same thing after it was read here. Nothing was saved, and the visitor decides. */
export function Conflict({ noun, children, canOverwrite, isSaving, onTake, onOverwrite }: ConflictProps) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <section ref={box} className="conflict" aria-label="Conflict" tabIndex={-1} role="alert">
      {children === null ? (
        <p>Somebody else has deleted this {noun} since you opened it.</p>
      ) : (
        <>
          <p>Somebody else has changed this {noun} since you opened it, so your changes are not saved.</p>
          {children}
          <p className="pausing">
            <button type="button" onClick={onTake}>
              Take theirs
            </button>
            {canOverwrite && (
              <button type="button" disabled={isSaving} onClick={onOverwrite}>
                Save mine over it
              </button>
            )}
          </p>
        </>
      )}
    </section>
  );
}
