import { graphql, withFragments } from "../api/graphql";
import { DeleteButton } from "../DeleteButton";
import { HOME } from "../paths";
import { USERS } from "../Refusal";

const DELETE = withFragments(
  graphql(`
  mutation DeleteSegment($input: DeleteSegmentInput!) {
    deleteSegment(input: $input) {
      __typename
      ... on UserError {
        message
      }
      ... on InUse {
        ...Users
      }
    }
  }
`),
  USERS,
);

export function DeleteSegment({ id, name }: { id: string; name: string }) {
  return (
    <DeleteButton mutation={DELETE} type="Segment" noun="segment" id={id} name={name} next={HOME}>
      <p>The segment disappears at once, for everybody. Its members stay in the workspace. Nobody can undo this.</p>
    </DeleteButton>
  );
}
