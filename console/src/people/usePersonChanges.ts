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

/** All changes since the page was opened, the latest first. Each batch with changes makes a new array. */
export function usePersonChanges(id: string): readonly PersonChange[] {
  const client = useClient();
  const [changes, setChanges] = useState(NOTHING);
  useEffect(() => {
    const { unsubscribe } = client.subscription(PERSON_CHANGES, { id }).subscribe(({ data }) => {
      const fresh = data?.membershipChanges.changes ?? [];
      if (fresh.length > 0) setChanges((known) => [...fresh.toReversed(), ...known]);
    });
    return unsubscribe;
  }, [client, id]);
  return changes;
}
