import { useEffect, useId, useRef, useState, type ReactNode } from "react";

type ConfirmButtonProps = {
  /** What the button says that opens the dialog, such as "Delete…". */
  label: string;
  /** Distinguishes the button from others with the same label, for screen readers. */
  about?: string;
  question: string;
  keep: string;
  confirm: string;
  /** What happens if the visitor confirms. */
  children: ReactNode;
  /** Does it, and returns why it was not done; null if it was. */
  onConfirm: () => Promise<ReactNode>;
};

/** A button for something that cannot be undone. It asks in a dialog first. */
export function ConfirmButton({ label, about, question, keep, confirm, children, onConfirm }: ConfirmButtonProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<ReactNode>(null);
  const heading = useId();

  // When the object is gone, its button is gone, too. Visitors who use the keyboard continue at the page's title.
  useEffect(() => () => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>("main h2")?.focus();
  }, []);

  async function act() {
    setIsBusy(true);
    setProblem(null);
    const found = await onConfirm();
    setIsBusy(false);
    setProblem(found);
    if (found === null) dialog.current?.close();
  }

  return (
    <>
      <button type="button" aria-label={about && `${label} ${about}`} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={heading} onClose={() => setProblem(null)}>
        <h3 id={heading}>{question}</h3>
        {children}
        <div className="problem" role="alert">
          {problem}
        </div>
        <p className="pausing">
          <button type="button" autoFocus onClick={() => dialog.current?.close()}>
            {keep}
          </button>
          <button type="button" className="danger" disabled={isBusy} onClick={() => void act()}>
            {confirm}
          </button>
        </p>
      </dialog>
    </>
  );
}
