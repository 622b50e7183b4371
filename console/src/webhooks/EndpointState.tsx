import type { WebhookEndpointState } from "../gql/graphql";
import { shownTime } from "../words";

type EndpointStateProps = {
  endpoint: { state: WebhookEndpointState; failingSince?: string | null; disabledReason?: string | null };
};

/** Whether messages are sent, and whether they arrive. */
export function EndpointState({ endpoint: { state, failingSince, disabledReason } }: EndpointStateProps) {
  if (state === "DISABLED")
    return (
      <span className="badge off" title={disabledReason ?? undefined}>
        disabled
      </span>
    );
  if (failingSince) return <span className="badge bad">failing since {shownTime(failingSince)}</span>;
  return <span className="badge good">enabled</span>;
}
