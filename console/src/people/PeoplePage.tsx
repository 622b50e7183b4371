import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { PeopleQuery, SubscriberOrder } from "../gql/graphql";
import { Pager, usePages } from "../lists/Pager";
import { toPerson } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";
import { fullName, keyOf, placeOf } from "./names";

const PEOPLE = graphql(`
  query People($search: String, $order: SubscriberOrder!, $after: String) {
    subscribers(search: $search, orderBy: $order, first: 20, after: $after) {
      edges {
        node {
          id
          email
          phone
          externalId
          firstName
          lastName
          city
          region
          country
          createdAt
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** An empty list names no type, so that the cache would not know that a new person belongs to it. */
const OF_PEOPLE = { additionalTypenames: ["Subscriber"] };

/** The people that a search finds, page by page. While another search runs, the last answer stays. */
export function PeoplePage({ search, order }: { search: string; order: SubscriberOrder }) {
  const pages = usePages(`${order} ${search}`);
  const variables = { search, order, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({
    query: PEOPLE,
    variables,
    requestPolicy: "cache-and-network",
    context: OF_PEOPLE,
  });
  useShown(PEOPLE, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="people" />;
  const { edges, pageInfo } = data.subscribers;
  if (edges.length === 0 && pages.isFirst)
    return (
      <p className="empty" role="status">
        {fetching ? "Searching…" : nobodyTold(search)}
      </p>
    );
  return (
    <section aria-label="People">
      <PeopleTable people={edges.map((it) => it.node)} />
      <Pager pages={pages} info={pageInfo} isReading={fetching} />
    </section>
  );
}

function nobodyTold(search: string): string {
  return search === "" ? "There are no people yet. Add the first one, or import a file." : `Nobody is found for “${search}”.`;
}

type Person = PeopleQuery["subscribers"]["edges"][number]["node"];

function PeopleTable({ people }: { people: readonly Person[] }) {
  return (
    <div className="table folds whole-rows" tabIndex={0} role="region" aria-label="Table of people">
      <table>
        <thead>
          <tr>
            <th scope="col">Email</th>
            <th scope="col">Name</th>
            <th scope="col">Place</th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        <tbody>
          {people.map((person) => (
            <tr key={person.id}>
              <th scope="row">
                <a href={toPerson(person.id)}>{keyOf(person)}</a>
              </th>
              <td>{fullName(person) || "–"}</td>
              <td>{placeOf(person) || "–"}</td>
              <td>
                <time dateTime={person.createdAt}>{shownTime(person.createdAt)}</time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
