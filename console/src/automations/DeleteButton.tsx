import { useRef, useState } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { AUTOMATIONS, go } from "../paths";
import { problemOf } from "./saving";

const DELETE = graphql(`
  mutation DeleteAutomation($input: DeleteAutomationInput!) {
    deleteAutomation(input: $input) {
      __typename
      ... on UserError {
        message
      }
    }
  }
`);

/** Deletes an automation after a question in a dialog. */
export function DeleteButton({ id, name }: { id: string; name: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [{ fetching }, remove] = useMutation(DELETE);
  const [problem, setProblem] = useState<string | null>(null);

  async function confirm() {
    const { data, error } = await remove({ input: { id } });
    const answer = data?.deleteAutomation;
    if (answer?.__typename === "DeletePayload") go(AUTOMATIONS);
    else setProblem(answer?.message ?? problemOf(error));
  }

  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Delete…
      </button>
      <dialog ref={dialog} aria-labelledby="delete-question" onClose={() => setProblem(null)}>
        <h3 id="delete-question">Delete “{name}”?</h3>
        <p>
          Its runs are deleted, and those that wait never act. What it has done stays: groups, fields and events do not change.
        </p>
        <p className="pausing">
          <button type="button" autoFocus onClick={() => dialog.current?.close()}>
            Keep it
          </button>
          <button type="button" className="danger" disabled={fetching} onClick={() => void confirm()}>
            Delete the automation
          </button>
        </p>
        <p className="problem" role="alert">
          {problem}
        </p>
      </dialog>
    </>
  );
}
