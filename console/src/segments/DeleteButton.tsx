import { useMutation } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { ConfirmButton } from "../ConfirmButton";
import { go, HOME } from "../paths";
import { Refusal, USERS } from "../Refusal";

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

/** The answer names no segment, so the cache would keep lists with it. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

/** Deletes a segment after a question in a dialog. */
export function DeleteButton({ id, name }: { id: string; name: string }) {
  const [, remove] = useMutation(DELETE);

  async function confirmed() {
    const { data, error } = await remove({ input: { id } }, OF_SEGMENTS);
    const answer = data?.deleteSegment;
    if (answer?.__typename !== "DeletePayload") return answer ? <Refusal answer={answer} /> : problemOf(error);
    go(HOME);
    return null;
  }

  return (
    <ConfirmButton
      label="Delete…"
      question={`Delete “${name}”?`}
      keep="Keep it"
      confirm="Delete the segment"
      onConfirm={confirmed}
    >
      <p>The segment disappears at once, for everybody. Its members stay in the workspace. Nobody can undo this.</p>
    </ConfirmButton>
  );
}
