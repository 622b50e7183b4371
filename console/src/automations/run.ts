/** What the console reads of a run. */

import { graphql } from "../api/graphql";
import type { RunFragment } from "../gql/graphql";

export const RUN = graphql(`
  fragment Run on AutomationRun {
    id
    state
    reason
    kind
    startedAt
    dueAt
    endedAt
    subscriberId
    subscriber {
      id
      email
      externalId
    }
  }
`);

export type Run = RunFragment;
