import { useRef, useState, type FormEvent } from "react";

import { useSaving } from "./saving";

type RenameButtonProps = { id: string; name: string; revision: number };

/** Changes only the name, in a dialog. It never overwrites a name that somebody else has given meanwhile without showing it. */
export function RenameButton({ id, name, revision }: RenameButtonProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState(name);
  const [known, setKnown] = useState(revision);
  const [problem, setProblem] = useState<string | null>(null);
  const { saveEdit, isSaving } = useSaving();

  function open() {
    setTyped(name);
    setKnown(revision);
    setProblem(null);
    dialog.current?.showModal();
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!typed.trim()) return setProblem("Give it a name.");
    const saved = await saveEdit({ id, name: typed.trim(), ifRevision: known });
    if (saved.id !== null) return dialog.current?.close();
    if (saved.current) {
      setKnown(saved.current.revision);
      return setProblem(`Somebody else has changed it meanwhile. It is called “${saved.current.name}” now. Save again to rename it.`);
    }
    setProblem(saved.problem ?? "It does not exist any more.");
  }

  return (
    <>
      <button type="button" onClick={open}>
        Rename…
      </button>
      <dialog ref={dialog} aria-labelledby="rename-heading">
        <form className="rename" onSubmit={(event) => void submit(event)}>
          <h3 id="rename-heading">Rename “{name}”</h3>
          <label htmlFor="new-name">New name</label>
          <input
            id="new-name"
            type="text"
            maxLength={200}
            autoFocus
            aria-describedby="rename-problem"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
          <p id="rename-problem" className="problem" role="alert">
            {problem}
          </p>
          <p className="pausing">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" className="primary" disabled={isSaving}>
              Rename
            </button>
          </p>
        </form>
      </dialog>
    </>
  );
}
