import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { MemberTable } from "./MemberTable";
import { useRefetch } from "./useRefetch";

const FOUND = graphql(`
  query FoundMembers($id: ID!, $search: String!, $after: String) {
    subscribers(where: { segment: { anyOf: [$id] } }, search: $search, orderBy: EMAIL_ASC, first: 10, after: $after) {
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

type FoundMembersProps = { segmentId: string; search: string; version: string };

/** The members whom a search finds, by email address. */
export function FoundMembers({ segmentId, search, version }: FoundMembersProps) {
  const pages = usePages(`${segmentId} ${search}`);
  const variables = { id: segmentId, search, after: pages.after };
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
        No member is found for “{search}”.
      </p>
    );
  return (
    <>
      <MemberTable segmentId={segmentId} members={edges} isPast={false} />
      <Pager pages={pages} info={pageInfo} isReading={fetching} />
    </>
  );
}
