import { graphql } from "../api/graphql";
import { DeleteButton } from "../DeleteButton";
import { AUTOMATIONS } from "../paths";

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

export function DeleteAutomation({ id, name }: { id: string; name: string }) {
  return (
    <DeleteButton mutation={DELETE} type="Automation" noun="automation" id={id} name={name} next={AUTOMATIONS}>
      <p>
        Its runs are deleted, and those that wait never act. What it has done stays: groups, fields and events do not change.
      </p>
    </DeleteButton>
  );
}
