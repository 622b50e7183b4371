import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { MemberTable } from "./MemberTable";
import { useRefetch } from "./useRefetch";

const FOUND = graphql(`
  query FoundMembers($id: ID!, $search: String, $order: SubscriberOrder!, $after: String) {
    subscribers(where: { segment: { anyOf: [$id] } }, search: $search, orderBy: $order, first: 10, after: $after) {
      edges {
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
`);

export type FoundOrder = "EMAIL_ASC" | "CREATED_DESC";
type FoundMembersProps = { segmentId: string; search: string; order: FoundOrder; version: string };

/** The members whom a search finds, or all if there is none, in this order. */
export function FoundMembers({ segmentId, search, order, version }: FoundMembersProps) {
  const pages = usePages(`${segmentId} ${search} ${order}`);
  const variables = { id: segmentId, search: search || null, order, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({ query: FOUND, variables, requestPolicy: "cache-and-network" });
  useRefetch(retry, version);
  useShown(FOUND, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Searching…
      </p>
    );
  const { edges, pageInfo } = data.subscribers;
  if (edges.length === 0 && pages.isFirst)
    return (
      <p className="empty" role="status">
        {search ? `No member is found for “${search}”.` : "This segment has no members at present."}
      </p>
    );
  return (
    <>
      <MemberTable segmentId={segmentId} members={edges} isPast={false} />
      <Pager pages={pages} info={pageInfo} isReading={fetching} />
    </>
  );
}
