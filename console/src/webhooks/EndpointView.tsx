import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";

import { ForAdmins } from "../administration/access";
import { Secret } from "../administration/Secret";
import { HistoryLink } from "../administration/HistoryLink";
import { graphql } from "../api/graphql";
import type { EndpointQuery } from "../gql/graphql";
import { ENDPOINTS, toAutomation, toEndpoint, toPage } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";
import { DeleteEndpoint, RotateSecret, Switch, Test } from "./actions";
import { Deliveries } from "./Deliveries";
import { EndpointState } from "./EndpointState";
import { usePolling } from "./usePolling";

const ENDPOINT = graphql(`
  query Endpoint($id: ID!) {
    webhookEndpoint(by: { id: $id }) {
      id
      name
      url
      state
      disabledReason
      failingSince
      createdAt
      previousSecretUntil
      automations {
        id
        name
      }
    }
  }
`);

export type Endpoint = NonNullable<EndpointQuery["webhookEndpoint"]>;

/** One webhook endpoint: whether messages arrive, which were sent, and what an administrator can do about it. */
export function EndpointView({ id }: { id: string }) {
  return (
    <ForAdmins>
      <Asked id={id} />
    </ForAdmins>
  );
}

function Asked({ id }: { id: string }) {
  const [{ data, error }, retry] = useQuery({ query: ENDPOINT, variables: { id }, requestPolicy: "cache-and-network" });
  const [secret, setSecret] = useState<string | null>(null);
  useShown(ENDPOINT, { id });
  usePolling(retry);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the endpoint" />;
  const endpoint = data.webhookEndpoint;
  if (!endpoint)
    return (
      <p className="empty">
        This endpoint does not exist, or no longer exists. <a href={ENDPOINTS}>All endpoints</a>
      </p>
    );
  return (
    <article className="parts">
      <Head endpoint={endpoint} onSecret={setSecret} />
      {secret !== null && (
        <Secret title="The new secret" secret={secret} onward={{ label: "I have it", address: toEndpoint(id) }} onDone={() => setSecret(null)}>
          Give it to the receiver within 24 hours. Until then, messages are also signed with the old secret. It is never shown
          again.
        </Secret>
      )}
      <Deliveries endpoint={endpoint} />
    </article>
  );
}

function Head({ endpoint, onSecret }: { endpoint: Endpoint; onSecret: (secret: string) => void }) {
  const { id, name, url, disabledReason, previousSecretUntil, automations } = endpoint;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <header className="subject">
      <p className="quiet">
        <a href={ENDPOINTS}>Webhooks</a>
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {name}
      </h2>
      <p className="summary">{url}</p>
      <p>
        <EndpointState endpoint={endpoint} />
      </p>
      {disabledReason && <p className="problem">{disabledReason}</p>}
      {previousSecretUntil && <p className="quiet">Until {shownTime(previousSecretUntil)}, the old secret signs, too.</p>}
      <p className="quiet">
        {automations.length === 0 ? "No automation sends to it." : "These automations send to it: "}
        {automations.map((it, index) => (
          <span key={it.id}>
            {index > 0 && ", "}
            <a href={toAutomation(it.id)}>{it.name}</a>
          </span>
        ))}
      </p>
      <div className="pausing">
        <a className="button" href={toPage("edit-endpoint", id)}>
          Edit
        </a>
        <Switch endpoint={endpoint} />
        <RotateSecret endpoint={endpoint} onSecret={onSecret} />
        <DeleteEndpoint endpoint={endpoint} />
        <HistoryLink id={id} />
      </div>
      <Test endpoint={endpoint} />
    </header>
  );
}
