import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { MemberRow } from "./MemberRow";
import { useRefetch } from "./useRefetch";

/** Only the fields that a row shows. */
const MEMBERS = graphql(`
  query Members($id: ID!, $after: String) {
    segment(by: { id: $id }) {
      id
      members(first: 10, after: $after) {
        edges {
          enteredAt
          node {
            id
            email
            externalId
            firstName
            lastName
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

type MembersProps = {
  segmentId: string;
  /** The number of changes of the segment so far. When it grows, the page is read again. */
  changes: number;
};

/** A segment's members, page by page. */
export function Members({ segmentId, changes }: MembersProps) {
  const pages = usePages(segmentId);
  const { after } = pages;
  const [{ data, error, fetching }, retry] = useQuery({
    query: MEMBERS,
    variables: { id: segmentId, after },
    requestPolicy: "cache-and-network",
  });
  useRefetch(retry, changes);
  useShown(MEMBERS, { id: segmentId, after });
  const page = data?.segment?.members;

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page)
    return (
      <p className="empty" aria-busy="true">
        Loading members…
      </p>
    );
  if (page.edges.length === 0 && after === null) return <p className="empty">This segment has no members at present.</p>;
  return (
    <section className="members" aria-label="Members">
      <h3>Members</h3>
      <div className="table">
        <table>
          <thead>
            <tr>
              <th scope="col">Person</th>
              <th scope="col">Customer</th>
              <th scope="col">Member since</th>
              <th scope="col">
                <span className="unseen">Explanation</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {page.edges.map(({ node, enteredAt }) => (
              <MemberRow key={node.id} segmentId={segmentId} person={node} enteredAt={enteredAt} />
            ))}
          </tbody>
        </table>
      </div>
      <Pager pages={pages} info={page.pageInfo} isReading={fetching} />
    </section>
  );
}
