import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { toEndpoint } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { isAdmin, useViewer, VIEWER, type OwnToken } from "../viewer";
import { OF_ENDPOINTS } from "../webhooks/EndpointList";
import { EndpointState } from "../webhooks/EndpointState";
import { shownScopes } from "./scopes";
import { Administered, SECTIONS } from "./Sections";

const SOME_ENDPOINTS = graphql(`
  query SomeEndpoints {
    webhookEndpoints(first: 5) {
      edges {
        node {
          id
          name
          state
          failingSince
          disabledReason
        }
      }
    }
  }
`);

/** What can be administered, the endpoints with their states, and what the visitor's own token may do. */
export function Overview() {
  const { viewer, error, retry } = useViewer();
  const token = viewer?.token;
  useShown(VIEWER, {});
  return (
    <Administered title="Administration">
      {error && !token && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      <ul className="overview">
        {SECTIONS.map(({ title, address, page, about }) => (
          <li key={page}>
            <h3>
              <a href={address}>{title}</a>
            </h3>
            <p className="quiet">{about}</p>
            {page === "endpoints" && token && isAdmin(token) && <SomeEndpoints />}
          </li>
        ))}
      </ul>
      {token && <Own token={token} />}
    </Administered>
  );
}

/** The first endpoints, so that a failing one is seen without another click. */
function SomeEndpoints() {
  const [{ data }] = useQuery({
    query: SOME_ENDPOINTS,
    requestPolicy: "cache-and-network",
    context: OF_ENDPOINTS,
  });
  useShown(SOME_ENDPOINTS, {});
  if (!data || data.webhookEndpoints.edges.length === 0) return null;
  return (
    <ul className="entries" aria-label="Endpoints">
      {data.webhookEndpoints.edges.map(({ node }) => (
        <li key={node.id} className="entry-head">
          <a href={toEndpoint(node.id)}>{node.name}</a>
          <EndpointState endpoint={node} />
        </li>
      ))}
    </ul>
  );
}

function Own({ token }: { token: OwnToken }) {
  return (
    <p className="quiet own">
      You are signed in with the token “{token.name}”, which may {shownScopes(token.scopes)}.
      {!isAdmin(token) && " Webhooks, API tokens and the audit trail need a token with the scope ADMIN."}
    </p>
  );
}
