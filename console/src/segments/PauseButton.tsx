import { useMutation } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { problemOf } from "../automations/saving";
import type { SegmentState } from "../gql/graphql";
import { Refusal, USERS } from "../Refusal";


const PAUSE = withFragments(
  graphql(`
  mutation PauseSegment($input: PauseSegmentInput!) {
    pauseSegment(input: $input) {
      __typename
      ... on Segment {
        id
        state
      }
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
const RESUME = graphql(`
  mutation ResumeSegment($input: ResumeSegmentInput!) {
    resumeSegment(input: $input) {
      __typename
      ... on Segment {
        id
        state
      }
      ... on UserError {
        message
      }
    }
  }
`);

/** Pauses a segment, so that it keeps its present members, or resumes it. */
export function PauseButton({ id, state }: { id: string; state: SegmentState }) {
  const [paused, pause] = useMutation(PAUSE);
  const [resumed, resume] = useMutation(RESUME);
  const isPaused = state === "PAUSED";
  const answer = isPaused ? resumed.data?.resumeSegment : paused.data?.pauseSegment;
  const problem = problemOf(isPaused ? resumed.error : paused.error);

  return (
    <>
      {isPaused ? (
        <button type="button" disabled={resumed.fetching} onClick={() => void resume({ input: { id } })}>
          Resume
        </button>
      ) : (
        <button
          type="button"
          disabled={paused.fetching}
          title="A paused segment keeps its present members, whatever happens."
          onClick={() => void pause({ input: { id } })}
        >
          Pause
        </button>
      )}
      {(problem !== null || (answer && answer.__typename !== "Segment")) && (
        <div className="problem" role="alert">
          {answer && answer.__typename !== "Segment" ? <Refusal answer={answer} /> : problem}
        </div>
      )}
    </>
  );
}
