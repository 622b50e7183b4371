import { useRef, useState, type FormEvent } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { go, PEOPLE } from "../paths";

const ERASE = graphql(`
  mutation Erase($input: EraseSubscriberInput!) {
    eraseSubscriber(input: $input) {
      __typename
      ... on UserError {
        message
      }
    }
  }
`);

/** The answer names no person, so the cache would keep lists with them. */
const OF_PEOPLE = { additionalTypenames: ["Subscriber"] };

type EraseButtonProps = { id: string; name: string; email: string | null };

/** Erases a person when the visitor has typed their email address or id. */
export function EraseButton({ id, name, email }: EraseButtonProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [{ fetching }, erase] = useMutation(ERASE);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const isConfirmed = typed.trim() === id || (email !== null && typed.trim().toLowerCase() === email.toLowerCase());

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!isConfirmed) return setProblem(`This is not ${email ?? "their id"}.`);
    const { data, error } = await erase({ input: { subscriber: { id } } }, OF_PEOPLE);
    const answer = data?.eraseSubscriber;
    if (answer?.__typename === "DeletePayload") go(PEOPLE);
    else setProblem(answer?.message ?? problemOf(error));
  }

  function reset() {
    setTyped("");
    setProblem(null);
  }

  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Erase…
      </button>
      <dialog ref={dialog} aria-labelledby="erase-question" onClose={reset}>
        <form className="erase" onSubmit={(event) => void submit(event)}>
          <h3 id="erase-question">Erase {name} for good?</h3>
          <p>They leave every list, and all data about them is deleted at once. Nobody can undo this.</p>
          <label htmlFor="erase-confirmation">
            Type <strong>{email ?? id}</strong> to confirm
          </label>
          <input
            id="erase-confirmation"
            type="text"
            autoComplete="off"
            spellCheck={false}
            aria-describedby="erase-problem"
            value={typed}
            onChange={(event) => (setTyped(event.target.value), setProblem(null))}
          />
          <p id="erase-problem" className="problem" role="alert">
            {problem}
          </p>
          <p className="pausing">
            <button type="button" onClick={() => dialog.current?.close()}>
              Keep them
            </button>
            <button type="submit" className="danger" aria-disabled={!isConfirmed || fetching}>
              Erase this person
            </button>
          </p>
        </form>
      </dialog>
    </>
  );
}
