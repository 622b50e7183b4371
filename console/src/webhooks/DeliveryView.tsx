import { useEffect, useRef } from "react";
import { useMutation, useQuery } from "urql";

import { ForAdmins } from "../administration/access";
import { graphql, withFragments } from "../api/graphql";
import { RUN } from "../automations/run";
import { RunsTable } from "../automations/RunsTable";
import { problemOf } from "../automations/saving";
import type { DeliveryQuery } from "../gql/graphql";
import { ENDPOINTS, toAutomation, toEndpoint } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { counted, shownTime } from "../words";
import { DeliveryState } from "./Deliveries";
import { usePolling } from "./usePolling";
import { outcomeOf } from "./words";

const DELIVERY = withFragments(
  graphql(`
  query Delivery($id: ID!) {
    webhookDelivery(by: { id: $id }) {
      id
      state
      createdAt
      endedAt
      nextAttemptAt
      messageId
      changeCount
      attemptCount
      endpoint {
        id
        name
      }
      automation {
        id
        name
      }
      attempts(first: 20) {
        at
        status
        milliseconds
        failure
        response
      }
      runs(first: 20) {
        ...Run
      }
    }
  }
`),
  RUN,
);
const REPLAY = graphql(`
  mutation ReplayWebhookDelivery($input: ReplayWebhookDeliveryInput!) {
    replayWebhookDelivery(input: $input) {
      __typename
      ... on WebhookDelivery {
        id
        state
        endedAt
        nextAttemptAt
      }
      ... on UserError {
        message
      }
    }
  }
`);

type Delivery = NonNullable<DeliveryQuery["webhookDelivery"]>;

/** One message: whether it arrived, what the receiver answered, and about whom it is. */
export function DeliveryView({ id }: { id: string }) {
  return (
    <ForAdmins>
      <Asked id={id} />
    </ForAdmins>
  );
}

function Asked({ id }: { id: string }) {
  const [{ data, error }, retry] = useQuery({ query: DELIVERY, variables: { id }, requestPolicy: "cache-and-network" });
  useShown(DELIVERY, { id });
  usePolling(retry);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the message" />;
  const delivery = data.webhookDelivery;
  if (!delivery)
    return (
      <p className="empty">
        This message does not exist. Messages that ended are kept for 30 days. <a href={ENDPOINTS}>All endpoints</a>
      </p>
    );
  return (
    <article className="parts">
      <Head delivery={delivery} />
      <Attempts attempts={delivery.attempts} />
      <section aria-label="Runs">
        <h3>The runs that it tells</h3>
        {delivery.runs.length === 0 ? (
          <p className="empty">They are deleted.</p>
        ) : (
          <RunsTable runs={delivery.runs} />
        )}
        {delivery.changeCount > delivery.runs.length && delivery.runs.length > 0 && (
          <p className="quiet">These are the first {delivery.runs.length} of {delivery.changeCount}.</p>
        )}
      </section>
    </article>
  );
}

function Head({ delivery }: { delivery: Delivery }) {
  const { state, createdAt, endedAt, nextAttemptAt, messageId, changeCount, endpoint, automation } = delivery;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <header className="subject">
      <p className="quiet">
        <a href={ENDPOINTS}>Webhooks</a>
        {endpoint && (
          <>
            {" › "}
            <a href={toEndpoint(endpoint.id)}>{endpoint.name}</a>
          </>
        )}
      </p>
      <h2 ref={heading} tabIndex={-1}>
        Message of {shownTime(createdAt)}
      </h2>
      <p>
        <DeliveryState state={state} />{" "}
        <span className="quiet">
          {endedAt && shownTime(endedAt)}
          {nextAttemptAt && `next attempt ${shownTime(nextAttemptAt)}`}
        </span>
      </p>
      <p className="quiet">
        {counted(changeCount, "change", "changes")} of{" "}
        {automation ? <a href={toAutomation(automation.id)}>{automation.name}</a> : "a deleted automation"}, with the webhook-id{" "}
        <code>{messageId}</code>
      </p>
      {state === "FAILED" && <Replay id={delivery.id} />}
    </header>
  );
}

function Replay({ id }: { id: string }) {
  const [{ data, error, fetching }, replay] = useMutation(REPLAY);
  const answer = data?.replayWebhookDelivery;
  const problem = answer && answer.__typename !== "WebhookDelivery" ? answer.message : problemOf(error);
  return (
    <div className="pausing">
      <button type="button" className="primary" disabled={fetching} onClick={() => void replay({ input: { id } })}>
        Replay this message
      </button>
      <p className="problem" role="alert">
        {problem}
      </p>
    </div>
  );
}

function Attempts({ attempts }: { attempts: Delivery["attempts"] }) {
  return (
    <section aria-label="Attempts">
      <h3>Attempts</h3>
      {attempts.length === 0 && <p className="empty">There was no attempt yet.</p>}
      <ol className="entries">
        {attempts.map((it) => (
          <li key={it.at}>
            <div className="entry-head">
              <time dateTime={it.at}>{shownTime(it.at)}</time>
              <span className={it.failure ? "problem" : "entered"}>{outcomeOf(it)}</span>
            </div>
            {it.response && (
              <pre className="response" tabIndex={0} role="region" aria-label="What the receiver answered">
                {it.response}
              </pre>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
