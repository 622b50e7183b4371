import { useQuery } from "urql";

import { useStatus } from "../api/status";
import { graphql } from "../api/graphql";
import type { AutomationOrder } from "../gql/graphql";
import { Growing, More, type OnMore } from "../lists/Growing";
import { SearchedList } from "../lists/SearchedList";
import { NEW_AUTOMATION, toAutomation } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { Figures, useYesterday } from "./Figures";
import { useRuns } from "./useRuns";

const AUTOMATIONS = graphql(`
  query Automations($from: DateTime!, $search: String, $order: AutomationOrder!, $after: String) {
    automations(search: $search, orderBy: $order, first: 20, after: $after) {
      edges {
        node {
          id
          name
          summary
          state
          figures(from: $from) {
            done
            waiting
            cancelled
            skipped
            failed
            cutOff
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

const ORDERS: Record<AutomationOrder, string> = {
  NAME_ASC: "By name",
  CREATED_DESC: "The latest first",
  UPDATED_DESC: "The last edited first",
};

/** The automations, with a search and an order: what each does, and what became of its runs of the last day. */
export function AutomationList() {
  return (
    <SearchedList
      title="Automations"
      add={{ label: "New automation", address: NEW_AUTOMATION }}
      searched="Part of a name"
      orders={ORDERS}
      usual={"NAME_ASC" as AutomationOrder}
    >
      {(search, order) => (
        <Growing key={`${order} ${search}`}>
          {(after, onMore) => <Page search={search} order={order} after={after} onMore={onMore} />}
        </Growing>
      )}
    </SearchedList>
  );
}

/** An empty list names no type, so that the cache would not know that the first automation belongs to it. */
const OF_AUTOMATIONS = { additionalTypenames: ["Automation"] };

type PageProps = { search: string; order: AutomationOrder; after: string | null; onMore: OnMore };

function Page({ search, order, after, onMore }: PageProps) {
  const variables = { from: useYesterday(), search, order, after };
  const [{ data, error }, retry] = useQuery({
    query: AUTOMATIONS,
    variables,
    requestPolicy: "cache-and-network",
    context: OF_AUTOMATIONS,
  });
  useShown(AUTOMATIONS, variables);
  useRefetch(retry, useRuns(null));
  useRefetch(retry, useStatus().phase);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="automations" />;
  const { edges, pageInfo } = data.automations;
  if (edges.length === 0)
    return (
      <p className="empty" role="status">
        {search === "" ? "There are no automations yet. Create the first one." : `No automation is found for “${search}”.`}
      </p>
    );
  return (
    <>
      <ul className="automations">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <p>
              <a href={toAutomation(node.id)}>{node.name}</a>
              {node.state === "PAUSED" && <em className="paused"> paused</em>}
            </p>
            <p className="summary">{node.summary}</p>
            <Figures figures={node.figures} />
          </li>
        ))}
      </ul>
      <More of="automations" onMore={onMore} info={pageInfo} />
    </>
  );
}
