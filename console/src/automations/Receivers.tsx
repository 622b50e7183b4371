import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { toEndpoint } from "../paths";
import { useShown } from "../shown";
import { isAdmin, useViewer } from "../viewer";
import { EndpointState } from "../webhooks/EndpointState";

const RECEIVER = graphql(`
  query Receiver($endpointId: ID!) {
    webhookEndpoint(by: { id: $endpointId }) {
      id
      name
      state
      failingSince
      disabledReason
    }
  }
`);

/** Where the webhooks of an automation go, with links to their deliveries. Endpoints can be read with the scope ADMIN only. */
export function Receivers({ ids }: { ids: readonly string[] }) {
  const { viewer } = useViewer();
  if (ids.length === 0 || !viewer) return null;
  if (!isAdmin(viewer.token)) return <p className="quiet">Whether its webhooks arrive can be seen with a token that has the scope ADMIN.</p>;
  return (
    <section aria-label="Webhooks">
      <h3>Its webhooks go to</h3>
      <ul className="entries">
        {[...new Set(ids)].map((it) => (
          <Receiver key={it} id={it} />
        ))}
      </ul>
    </section>
  );
}

function Receiver({ id }: { id: string }) {
  const [{ data, error }] = useQuery({ query: RECEIVER, variables: { endpointId: id }, requestPolicy: "cache-and-network" });
  useShown(RECEIVER, { endpointId: id });
  const endpoint = data?.webhookEndpoint;
  return (
    <li className="entry-head">
      <a href={toEndpoint(id)}>{endpoint?.name ?? "an endpoint"}</a>
      {endpoint && <EndpointState endpoint={endpoint} />}
      {error && <span className="problem">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</span>}
      <span className="quiet">The deliveries are on its page.</span>
    </li>
  );
}
