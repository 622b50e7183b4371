/** A person's events and membership changes as one list, the latest first, which is read page by page. */

import { useCallback, useEffect, useReducer } from "react";
import { useClient, type CombinedError } from "urql";

import { graphql } from "../api/graphql";
import type { TimelineQuery } from "../gql/graphql";

export const TIMELINE = graphql(`
  query Timeline($id: ID!, $eventsAfter: String, $changesAfter: String, $withEvents: Boolean!, $withChanges: Boolean!) {
    subscriber(by: { id: $id }) {
      id
      events(first: 20, after: $eventsAfter) @include(if: $withEvents) {
        edges {
          node {
            id
            name
            occurredAt
            value
            properties
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
      membershipHistory(first: 20, after: $changesAfter) @include(if: $withChanges) {
        edges {
          node {
            id
            kind
            cause
            occurredAt
            segment {
              id
              name
            }
            group {
              id
              name
            }
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

type Read = NonNullable<TimelineQuery["subscriber"]>;
type Page<Entry> = {
  edges: readonly { node: Entry }[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
};
export type Happened = NonNullable<Read["events"]>["edges"][number]["node"];
export type Moved = NonNullable<Read["membershipHistory"]>["edges"][number]["node"];
export type Entry = { kind: "event"; event: Happened } | { kind: "change"; change: Moved };

/** One of the two lists as far as it was read. `end` is the cursor of the next page; null at the end of the list. */
type Part<Entry> = { entries: readonly Entry[]; end: string | null };
type State = {
  events: Part<Happened>;
  changes: Part<Moved>;
  isRead: boolean;
  isReading: boolean;
  error: CombinedError | null;
};

const UNREAD: State = {
  events: { entries: [], end: null },
  changes: { entries: [], end: null },
  isRead: false,
  isReading: true,
  error: null,
};

type Action =
  | { type: "reading" }
  | { type: "failed"; error: CombinedError }
  | { type: "read"; found: Read | null; isEarlier: boolean };

export function useTimeline(id: string) {
  const client = useClient();
  const [state, tell] = useReducer(told, UNREAD);
  const { events, changes } = state;

  const read = useCallback(
    async (variables: { eventsAfter: string | null; changesAfter: string | null; withEvents: boolean; withChanges: boolean }) => {
      tell({ type: "reading" });
      const { data, error } = await client.query(TIMELINE, { id, ...variables }, { requestPolicy: "network-only" });
      if (error) return tell({ type: "failed", error });
      const isEarlier = variables.eventsAfter !== null || variables.changesAfter !== null;
      tell({ type: "read", found: data?.subscriber ?? null, isEarlier });
    },
    [client, id],
  );
  /** Reads the latest page again, and puts what is new before the rest. */
  const refresh = useCallback(() => void read(LATEST), [read]);
  const readEarlier = () =>
    void read({
      eventsAfter: events.end,
      changesAfter: changes.end,
      withEvents: events.end !== null,
      withChanges: changes.end !== null,
    });

  useEffect(refresh, [refresh]);
  const { isRead, isReading, error } = state;
  const hasEarlier = events.end !== null || changes.end !== null;
  return { entries: entriesOf(state), hasEarlier, isRead, isReading, error, refresh, readEarlier };
}

export const LATEST = { eventsAfter: null, changesAfter: null, withEvents: true, withChanges: true };

function told(state: State, action: Action): State {
  if (action.type === "reading") return { ...state, isReading: true, error: null };
  if (action.type === "failed") return { ...state, isReading: false, error: action.error };
  const { found, isEarlier } = action;
  const join = isEarlier ? withEarlier : withLatest;
  return {
    events: join(state.events, found?.events),
    changes: join(state.changes, found?.membershipHistory),
    isRead: true,
    isReading: false,
    error: null,
  };
}

function withEarlier<Entry>(part: Part<Entry>, page: Page<Entry> | null | undefined): Part<Entry> {
  if (!page) return part;
  return { entries: [...part.entries, ...page.edges.map((it) => it.node)], end: endOf(page) };
}

/** A page that has nothing in common with the entries and does not end the list leaves a gap, so the list begins again with it. */
function withLatest<Entry extends { id: string }>(part: Part<Entry>, page: Page<Entry> | null | undefined): Part<Entry> {
  if (!page) return part;
  const known = new Set(part.entries.map((it) => it.id));
  const latest = page.edges.map((it) => it.node);
  const fresh = latest.filter((it) => !known.has(it.id));
  if (fresh.length === latest.length) return { entries: latest, end: endOf(page) };
  return { entries: [...fresh, ...part.entries], end: part.end };
}

function endOf({ pageInfo }: Page<unknown>): string | null {
  return pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null;
}

/** Both lists together, as far back as both were read: an earlier entry of one could still have later ones of the other before it. */
function entriesOf({ events, changes }: State): Entry[] {
  const horizon = Math.max(horizonOf(events), horizonOf(changes));
  const all: Entry[] = [
    ...changes.entries.map((change) => ({ kind: "change" as const, change })),
    ...events.entries.map((event) => ({ kind: "event" as const, event })),
  ];
  return all.filter((it) => instantOf(it) >= horizon).sort((one, other) => instantOf(other) - instantOf(one));
}

function horizonOf({ entries, end }: Part<{ occurredAt: string }>): number {
  return end === null ? -Infinity : Date.parse(entries.at(-1)!.occurredAt);
}

function instantOf(entry: Entry): number {
  return Date.parse(entry.kind === "event" ? entry.event.occurredAt : entry.change.occurredAt);
}
