/** The membership changes of one person while their page is open. */

import { useEffect, useState } from "react";
import { useClient } from "urql";

import { graphql } from "../api/graphql";
import type { PersonChangesSubscription } from "../gql/graphql";

const PERSON_CHANGES = graphql(`
  subscription PersonChanges($id: ID!, $after: String) {
    membershipChanges(subscriber: { id: $id }, after: $after) {
      cursor
      changes {
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
  }
`);

export type PersonChange = PersonChangesSubscription["membershipChanges"]["changes"][number];

const NOTHING: readonly PersonChange[] = [];

/**
 * All changes since the page was opened, the latest first. Each batch with changes makes a new array, so whoever reads again when the array
 * changes misses nothing: `after` is where the console's feed was before the page read anything. Without it (the console itself is just being
 * opened) nobody knows what happened between the page's queries and the first batch, so that batch makes a new array, too.
 */
export function usePersonChanges(id: string, after: string | null): readonly PersonChange[] {
  const client = useClient();
  const [begin] = useState(after);
  const [changes, setChanges] = useState(NOTHING);
  useEffect(() => {
    let isUnsure = begin === null;
    const { unsubscribe } = client.subscription(PERSON_CHANGES, { id, after: begin }).subscribe(({ data }) => {
      if (!data) return;
      const fresh = data.membershipChanges.changes;
      if (fresh.length > 0 || isUnsure) setChanges((known) => [...fresh.toReversed(), ...known]);
      isUnsure = false;
    });
    return unsubscribe;
  }, [client, id, begin]);
  return changes;
}
