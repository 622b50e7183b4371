import { useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { useTyped } from "../lists/useTyped";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { FoundMembers, type FoundOrder } from "./FoundMembers";
import { MemberTable } from "./MemberTable";
import { useRefetch } from "./useRefetch";

/** Only the fields that a row shows. */
const MEMBERS = graphql(`
  query Members($id: ID!, $after: String, $asOf: DateTime) {
    segment(by: { id: $id }) {
      id
      members(first: 10, after: $after, asOf: $asOf) {
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

type MemberOrder = "ENTERED_DESC" | FoundOrder;

const ORDERS: Record<MemberOrder, string> = {
  ENTERED_DESC: "The latest to enter first",
  EMAIL_ASC: "By email",
  CREATED_DESC: "The latest to be added first",
};

type MembersProps = {
  segmentId: string;
  /** A paused segment can be neither searched nor sorted. */
  isPaused: boolean;
  /** The page is read again when it changes. */
  version: string;
};

/** A segment's members, page by page: now, at an instant of the past, or those whom a search finds. */
export function Members({ segmentId, isPaused, version }: MembersProps) {
  const [search, setSearch] = useState("");
  const [typed, setTyped] = useTyped(search, (text) => setSearch(text.trim()));
  const [order, setOrder] = useState<MemberOrder>("ENTERED_DESC");
  const [past, setPast] = useState("");
  const isFuture = Date.parse(past) > Date.now();
  const asOf = past && !isFuture ? new Date(past).toISOString() : null;
  // A segment's own list has one order; a search reads the people who are in it.
  const isListed = isPaused || asOf !== null || (search === "" && order === "ENTERED_DESC");
  return (
    <section className="members" aria-label="Members">
      <header>
        <h3>Members</h3>
        {!isPaused && !asOf && (
          <input
            type="search"
            aria-label="Search the members"
            placeholder="Search by name, email or id"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        {!isPaused && !asOf && (
          <select
            aria-label="Order of the members"
            value={order}
            onChange={(event) => setOrder(event.target.value as MemberOrder)}
          >
            {Object.entries(ORDERS).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        )}
        {isListed && (
          <label>
            as of{" "}
            <input type="datetime-local" value={past} onChange={(event) => setPast(event.target.value)} />
          </label>
        )}
        {past && (
          <button type="button" onClick={() => setPast("")}>
            Now
          </button>
        )}
      </header>
      {isFuture && (
        <p className="problem" role="alert">
          This instant is in the future. Choose an earlier one; until then, these are the members now.
        </p>
      )}
      {isListed ? (
        <Listed segmentId={segmentId} asOf={asOf} version={version} />
      ) : (
        <FoundMembers
          segmentId={segmentId}
          search={search}
          order={order === "ENTERED_DESC" ? "EMAIL_ASC" : order}
          version={version}
        />
      )}
    </section>
  );
}

type ListedProps = { segmentId: string; asOf: string | null; version: string };

function Listed({ segmentId, asOf, version }: ListedProps) {
  const pages = usePages(`${segmentId} ${asOf}`);
  const { after } = pages;
  const variables = { id: segmentId, after, asOf };
  const [{ data, error, fetching }, retry] = useQuery({
    query: MEMBERS,
    variables,
    requestPolicy: "cache-and-network",
  });
  useRefetch(retry, version);
  useShown(MEMBERS, variables);
  const page = data?.segment?.members;

  if (error?.graphQLErrors.some((it) => it.extensions.code === "LOG_EXPIRED"))
    return <p className="empty">The log does not reach back so far. Choose a later instant.</p>;
  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page)
    return (
      <p className="empty" aria-busy="true">
        Loading members…
      </p>
    );
  if (page.edges.length === 0 && after === null)
    return (
      <p className="empty" role="status">
        {asOf ? "This segment had no members then." : "This segment has no members at present."}
      </p>
    );
  return (
    <>
      <MemberTable segmentId={segmentId} members={page.edges} isPast={asOf !== null} />
      <Pager pages={pages} info={page.pageInfo} isReading={fetching} />
    </>
  );
}
