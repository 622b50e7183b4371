import { useEffect, useReducer } from "react";
import { useClient, type CombinedError, type OperationResult } from "urql";

import { graphql } from "../api/graphql";
import type { ChangesSubscription } from "../gql/graphql";

const CHANGES = graphql(`
  subscription Changes($after: String) {
    membershipChanges(after: $after) {
      after
      cursor
      changes {
        id
        kind
        cause
        occurredAt
        subscriberId
        subscriber {
          id
          email
          externalId
        }
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
  }
`);

const MOST = 100;

export type Batch = ChangesSubscription["membershipChanges"];
export type Change = Batch["changes"][number];
export type Tally = { entered: number; left: number };
export type Tallies = ReadonlyMap<string, Tally>;

export type Feed = {
  /** The latest first. */
  changes: readonly Change[];
  /** How many entered and left each list since the page was opened. */
  tallies: Tallies;
  cursor: string | null;
  /** Whether every batch continued the batch before it, which means that nothing was missed. */
  isUnbroken: boolean;
  error: CombinedError | null;
};

const NOTHING: Feed = { changes: [], tallies: new Map(), cursor: null, isUnbroken: true, error: null };

/** All changes from now on. After a lost connection they continue from the last cursor: see api/resuming.ts. */
export function useChanges(): Feed {
  const client = useClient();
  const [feed, hear] = useReducer(heard, NOTHING);
  useEffect(() => {
    const { unsubscribe } = client.subscription(CHANGES, {}).subscribe(hear);
    return unsubscribe;
  }, [client]);
  return feed;
}

function heard(feed: Feed, { data, error }: OperationResult<ChangesSubscription>): Feed {
  if (error) return { ...feed, error };
  if (!data) return feed;
  const { after, cursor, changes } = data.membershipChanges;
  return {
    changes: [...changes.toReversed(), ...feed.changes].slice(0, MOST),
    tallies: changes.length > 0 ? counted(feed.tallies, changes) : feed.tallies,
    cursor,
    isUnbroken: feed.isUnbroken && (feed.cursor === null || feed.cursor === after),
    error: null,
  };
}

function counted(tallies: Tallies, changes: readonly Change[]): Tallies {
  const counts = new Map(tallies);
  for (const { segment, group, kind } of changes) {
    const list = segment ?? group;
    if (!list) continue; // it was deleted
    const { entered, left } = counts.get(list.id) ?? { entered: 0, left: 0 };
    const isEntry = kind === "ENTERED";
    counts.set(list.id, { entered: entered + Number(isEntry), left: left + Number(!isEntry) });
  }
  return counts;
}
