import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { ConfirmButton } from "../ConfirmButton";
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
  const [, remove] = useMutation(DELETE);

  async function confirm() {
    const { data, error } = await remove({ input: { id } });
    const answer = data?.deleteAutomation;
    if (answer?.__typename !== "DeletePayload") return answer?.message ?? problemOf(error);
    go(AUTOMATIONS);
    return null;
  }

  return (
    <ConfirmButton
      label="Delete…"
      question={`Delete “${name}”?`}
      keep="Keep it"
      confirm="Delete the automation"
      onConfirm={confirm}
    >
      <p>
        Its runs are deleted, and those that wait never act. What it has done stays: groups, fields and events do not change.
      </p>
    </ConfirmButton>
  );
}
