import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import type { AutomationState, ResumeFrom } from "../gql/graphql";
import { useKeptFocus } from "../useKeptFocus";
import { problemOf } from "./saving";

const PAUSE = graphql(`
  mutation PauseAutomation($input: PauseAutomationInput!) {
    pauseAutomation(input: $input) {
      __typename
      ... on Automation {
        id
        state
      }
      ... on UserError {
        message
      }
    }
  }
`);
const RESUME = graphql(`
  mutation ResumeAutomation($input: ResumeAutomationInput!) {
    resumeAutomation(input: $input) {
      __typename
      ... on Automation {
        id
        state
      }
      ... on UserError {
        message
      }
    }
  }
`);

/** Pauses an active automation. Resumes a paused one, with what happened in the meantime or without it. */
export function PauseButtons({ id, state }: { id: string; state: AutomationState }) {
  const buttons = useKeptFocus(state);
  const [paused, pause] = useMutation(PAUSE);
  const [resumed, resume] = useMutation(RESUME);
  const isBusy = paused.fetching || resumed.fetching;
  const answer = state === "PAUSED" ? resumed.data?.resumeAutomation : paused.data?.pauseAutomation;
  const error = state === "PAUSED" ? resumed.error : paused.error;
  const problem = answer?.__typename === "NotFound" ? answer.message : problemOf(error);
  const go = (from: ResumeFrom) => void resume({ input: { id, from } });

  return (
    <div ref={buttons} className="beside">
      {state === "ACTIVE" ? (
        <button type="button" aria-disabled={isBusy} onClick={() => void pause({ input: { id } })}>
          Pause
        </button>
      ) : (
        <>
          <em className="paused">Paused</em>
          <button type="button" aria-disabled={isBusy} onClick={() => go("CATCH_UP")}>
            Resume and catch up
          </button>
          <button type="button" aria-disabled={isBusy} onClick={() => go("SKIP")}>
            Resume from now on
          </button>
        </>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
