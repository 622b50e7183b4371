/** Words for the states of messages. */

import type { WebhookDeliveryState } from "../gql/graphql";

export const STATES: Record<WebhookDeliveryState, string> = {
  WAITING: "waiting",
  DELIVERED: "delivered",
  FAILED: "failed",
  DROPPED: "dropped",
};

type Attempted = { status?: number | null; milliseconds: number; failure?: string | null };

/** How an attempt ended, in a few words. */
export function outcomeOf({ status, milliseconds, failure }: Attempted): string {
  const answer = status == null ? "no answer" : `status ${status}`;
  return `${answer} after ${milliseconds.toLocaleString()} ms${failure ? `: ${failure}` : ""}`;
}
