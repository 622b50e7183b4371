import { useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
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

/** A segment's members, page by page. It keeps the cursors of earlier pages for the way back. */
export function Members({ segmentId, changes }: MembersProps) {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  const after = starts.at(-1) ?? null;
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
  const { hasNextPage, endCursor } = page.pageInfo;
  const isFirst = starts.length === 1;
  return (
    <section aria-label="Members">
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
      {/* Not `disabled`, because a button that has the focus and becomes disabled loses it. */}
      <div className="pages">
        <button type="button" aria-disabled={isFirst} onClick={() => !isFirst && setStarts(starts.slice(0, -1))}>
          Previous
        </button>
        <span className="quiet" role="status">
          Page {starts.length}
          {fetching && ", loading"}
        </span>
        <button
          type="button"
          aria-disabled={!hasNextPage}
          onClick={() => hasNextPage && endCursor && setStarts([...starts, endCursor])}
        >
          Next
        </button>
      </div>
    </section>
  );
}
