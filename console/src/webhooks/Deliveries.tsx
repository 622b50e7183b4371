import { useQuery, useMutation } from "urql";

import { graphql } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { ConfirmButton } from "../ConfirmButton";
import type { DeliveriesQuery, WebhookDeliveryState } from "../gql/graphql";
import { Pager, usePages } from "../lists/Pager";
import { choose, toDelivery, useChoices } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { counted, shownTime } from "../words";
import type { Endpoint } from "./EndpointView";
import { usePolling } from "./usePolling";
import { outcomeOf, STATES } from "./words";

const DELIVERIES = graphql(`
  query Deliveries($id: ID!, $state: [WebhookDeliveryState!], $after: String) {
    webhookEndpoint(by: { id: $id }) {
      id
      deliveries(state: $state, first: 20, after: $after) {
        edges {
          node {
            id
            state
            createdAt
            changeCount
            attemptCount
            nextAttemptAt
            automation {
              id
              name
            }
            attempts(first: 1) {
              status
              milliseconds
              failure
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);
const REPLAY_ALL = graphql(`
  mutation ReplayWebhookDeliveries($input: ReplayWebhookDeliveriesInput!) {
    replayWebhookDeliveries(input: $input) {
      __typename
      ... on ReplayWebhookDeliveriesPayload {
        replayed
      }
      ... on UserError {
        message
      }
    }
  }
`);

type Delivery = NonNullable<DeliveriesQuery["webhookEndpoint"]>["deliveries"]["edges"][number]["node"];

/** The messages of an endpoint, the latest first, with a choice of states that the address holds. */
export function Deliveries({ endpoint }: { endpoint: Endpoint }) {
  const chosen = useChoices().get("state") ?? "";
  const state = chosen in STATES ? (chosen as WebhookDeliveryState) : null;
  return (
    <section aria-label="Deliveries">
      <header className="titled">
        <h3>Deliveries</h3>
        <span className="beside">
          <select
            aria-label="State of the deliveries"
            value={state ?? ""}
            onChange={({ target: { value } }) => choose(new URLSearchParams(value ? { state: value } : {}))}
          >
            <option value="">All states</option>
            {Object.entries(STATES).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
          <ReplayAll endpoint={endpoint} />
        </span>
      </header>
      <DeliveryPage key={chosen} id={endpoint.id} state={state} />
    </section>
  );
}

function DeliveryPage({ id, state }: { id: string; state: WebhookDeliveryState | null }) {
  const pages = usePages(`${id} ${state}`);
  const variables = { id, state: state && [state], after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({
    query: DELIVERIES,
    variables,
    requestPolicy: "cache-and-network",
    context: OF_DELIVERIES,
  });
  useShown(DELIVERIES, variables);
  usePolling(retry);
  const page = data?.webhookEndpoint?.deliveries;

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page) return <Waiting for="deliveries" />;
  if (page.edges.length === 0 && pages.isFirst)
    return (
      <p className="empty" role="status">
        {state === null
          ? "No message has been sent to this endpoint in the last 30 days."
          : `No message is ${STATES[state]}.`}
      </p>
    );
  return (
    <>
      <div className="table folds whole-rows" tabIndex={0} role="region" aria-label="Table of deliveries">
        <table>
          <thead>
            <tr>
              <th scope="col">Message</th>
              <th scope="col">Sent by</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {page.edges.map(({ node }) => (
              <Row key={node.id} delivery={node} />
            ))}
          </tbody>
        </table>
      </div>
      <Pager pages={pages} info={page.pageInfo} isReading={fetching && !data} />
    </>
  );
}

/** An empty list names no type, so that the cache would not know that the first message belongs to it. */
const OF_DELIVERIES = { additionalTypenames: ["WebhookDelivery"] };

function Row({ delivery }: { delivery: Delivery }) {
  const { id, state, createdAt, changeCount, attemptCount, nextAttemptAt, automation, attempts } = delivery;
  return (
    <tr>
      <th scope="row">
        <a href={toDelivery(id)}>
          <time dateTime={createdAt}>{shownTime(createdAt)}</time>
        </a>
        <span className="quiet note">
          {counted(changeCount, "change", "changes")}, {counted(attemptCount, "attempt", "attempts")}
          {attempts[0] && `, the last one: ${outcomeOf(attempts[0])}`}
        </span>
      </th>
      <td>{automation?.name ?? "a deleted automation"}</td>
      <td>
        <DeliveryState state={state} />
        {nextAttemptAt && <span className="quiet note">next attempt {shownTime(nextAttemptAt)}</span>}
      </td>
    </tr>
  );
}

const KINDS: Record<WebhookDeliveryState, string> = { WAITING: "wait", DELIVERED: "good", FAILED: "bad", DROPPED: "off" };

export function DeliveryState({ state }: { state: WebhookDeliveryState }) {
  return <span className={`badge ${KINDS[state]}`}>{STATES[state]}</span>;
}

/** Sends all failed messages that the API still has again. */
function ReplayAll({ endpoint: { id, name, createdAt } }: { endpoint: Endpoint }) {
  const [replayed, replay] = useMutation(REPLAY_ALL);
  const told = replayed.data?.replayWebhookDeliveries;

  async function confirm() {
    const given = { input: { endpointId: id, from: createdAt } };
    const { data, error } = await replay(given, OF_DELIVERIES);
    const answer = data?.replayWebhookDeliveries;
    return answer?.__typename === "ReplayWebhookDeliveriesPayload" ? null : (answer?.message ?? problemOf(error));
  }

  return (
    <>
      <ConfirmButton
        label="Replay all failed…"
        question={`Send all failed messages to “${name}” again?`}
        keep="No"
        confirm="Replay them"
        onConfirm={confirm}
      >
        <p>They are sent in their order, before the messages that wait. Receivers recognise them by their webhook-id.</p>
      </ConfirmButton>
      <span className="quiet" role="status">
        {told?.__typename === "ReplayWebhookDeliveriesPayload" &&
          `${counted(told.replayed, "message waits", "messages wait")} for an attempt.`}
      </span>
    </>
  );
}
