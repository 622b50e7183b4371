import { useQuery } from "urql";

import { ForAdmins } from "../administration/access";
import { Administered } from "../administration/Sections";
import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { toEndpoint } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { counted } from "../words";
import { EndpointState } from "./EndpointState";

export const ENDPOINTS = graphql(`
  query WebhookEndpoints($after: String) {
    webhookEndpoints(first: 20, after: $after) {
      edges {
        node {
          id
          name
          url
          state
          failingSince
          disabledReason
          automations {
            id
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** An empty list names no type, so that the cache would not know that a new endpoint belongs to it. */
export const OF_ENDPOINTS = { additionalTypenames: ["WebhookEndpoint"] };

/** The webhook endpoints by name, and whether messages arrive there. */
export function EndpointList() {
  return (
    <Administered title="Webhooks" add={{ label: "New endpoint", page: "new-endpoint" }}>
      <ForAdmins>
        <EndpointPage />
      </ForAdmins>
    </Administered>
  );
}

function EndpointPage() {
  const pages = usePages("");
  const variables = { after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({
    query: ENDPOINTS,
    variables,
    requestPolicy: "cache-and-network",
    context: OF_ENDPOINTS,
  });
  useShown(ENDPOINTS, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="endpoints" />;
  const { edges, pageInfo } = data.webhookEndpoints;
  if (edges.length === 0 && pages.isFirst)
    return <p className="empty">There are no endpoints yet. Create one, and let an automation send webhooks to it.</p>;
  return (
    <section aria-label="Endpoints">
      <div className="table folds whole-rows" tabIndex={0} role="region" aria-label="Table of endpoints">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Used by</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {edges.map(({ node }) => (
              <tr key={node.id}>
                <th scope="row">
                  <a href={toEndpoint(node.id)}>{node.name}</a>
                  <span className="quiet note">{node.url}</span>
                </th>
                <td>{counted(node.automations.length, "automation", "automations")}</td>
                <td>
                  <EndpointState endpoint={node} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pager pages={pages} info={pageInfo} isReading={fetching} />
    </section>
  );
}
