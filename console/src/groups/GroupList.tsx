import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ListOrder } from "../gql/graphql";
import { Pager, usePages } from "../lists/Pager";
import { SearchedList } from "../lists/SearchedList";
import { NEW_GROUP, toGroup } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";

const GROUPS = graphql(`
  query Groups($search: String, $order: ListOrder!, $after: String) {
    groups(search: $search, orderBy: $order, first: 20, after: $after) {
      edges {
        node {
          id
          name
          description
          memberCount
          updatedAt
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** An empty list names no type, so that the cache would not know that a new group belongs to it. */
const OF_GROUPS = { additionalTypenames: ["Group"] };

const ORDERS: Record<ListOrder, string> = {
  NAME_ASC: "By name",
  SIZE_DESC: "The largest first",
  CREATED_DESC: "The latest first",
  UPDATED_DESC: "The last edited first",
};

/** The groups of the workspace, with a search and an order. */
export function GroupList() {
  return (
    <SearchedList
      title="Groups"
      add={{ label: "New group", address: NEW_GROUP }}
      searched="Part of a name"
      orders={ORDERS}
      usual={"NAME_ASC" as ListOrder}
    >
      {(search, order) => <GroupPage search={search} order={order} />}
    </SearchedList>
  );
}

function GroupPage({ search, order }: { search: string; order: ListOrder }) {
  const pages = usePages(`${order} ${search}`);
  const variables = { search, order, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({
    query: GROUPS,
    variables,
    requestPolicy: "cache-and-network",
    context: OF_GROUPS,
  });
  useShown(GROUPS, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="groups" />;
  const { edges, pageInfo } = data.groups;
  if (edges.length === 0 && pages.isFirst)
    return (
      <p className="empty" role="status">
        {fetching ? "Searching…" : noneTold(search)}
      </p>
    );
  return (
    <section aria-label="Groups">
      <div className="table folds whole-rows" tabIndex={0} role="region" aria-label="Table of groups">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Members</th>
              <th scope="col">Edited</th>
            </tr>
          </thead>
          <tbody>
            {edges.map(({ node }) => (
              <tr key={node.id}>
                <th scope="row">
                  <a href={toGroup(node.id)}>{node.name}</a>
                  {node.description && <span className="quiet note">{node.description}</span>}
                </th>
                <td className="number">{node.memberCount.toLocaleString()}</td>
                <td>
                  <time dateTime={node.updatedAt}>{shownTime(node.updatedAt)}</time>
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

function noneTold(search: string): string {
  return search === ""
    ? "There are no groups yet. Create the first one, or let an import or an automation fill one."
    : `No group is found for “${search}”.`;
}
