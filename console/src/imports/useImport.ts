/** One import: as it was read, with the numbers that arrive while it runs. */

import { useEffect, useState } from "react";
import { useClient, useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ImportProgressSubscription } from "../gql/graphql";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";

const IMPORT = graphql(`
  query Import($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Import {
        state
        dryRun
        fileName
        startedBy
        rowsRead
        created
        updated
        rejected
        noticed
        fraction
        failure
        createdAt
        groups {
          id
          name
        }
        endedAt
        undoRefusal
        undo {
          state
          fraction
          endedAt
          peopleErased
          peopleKept
          membershipsUndone
          membershipsKept
          valuesRestored
          valuesKept
          refusalsKept
          keysKept
        }
        rejects(first: 100) {
          edges {
            node {
              id
              line
              message
            }
          }
        }
        notices(first: 100) {
          edges {
            node {
              id
              line
              message
            }
          }
        }
      }
    }
  }
`);
const PROGRESS = graphql(`
  subscription ImportProgress($id: ID!) {
    importProgress(id: $id) {
      id
      state
      rowsRead
      created
      updated
      rejected
      noticed
      fraction
      failure
      undoRefusal
      undo {
        state
        fraction
        endedAt
        peopleErased
        peopleKept
        membershipsUndone
        membershipsKept
        valuesRestored
        valuesKept
        refusalsKept
        keysKept
      }
    }
  }
`);

type Heard = ImportProgressSubscription["importProgress"];

/** The refused rows are read again while the import goes on, at most once a second. */
export function useImport(id: string) {
  const client = useClient();
  const [heard, setHeard] = useState<Heard | null>(null);
  const [listening, setListening] = useState(0); // counts the subscriptions
  const [{ data, error }, retry] = useQuery({ query: IMPORT, variables: { id }, requestPolicy: "cache-and-network" });
  useShown(IMPORT, { id });
  useRefetch(retry, heard);
  const read = data?.node;
  const isImport = read?.__typename === "Import";
  const undoState = isImport ? read.undo?.state : undefined; // an undo begins after the subscription has ended
  useEffect(() => {
    if (!isImport) return; // the subscription refuses an unknown id
    const { unsubscribe } = client.subscription(PROGRESS, { id }).subscribe((result) => {
      if (result.data) setHeard(result.data.importProgress);
    });
    return unsubscribe;
  }, [client, id, isImport, undoState, listening]);

  const isCurrent = heard?.id === id;
  const latest = isCurrent ? heard : null;
  const isRead = isImport && (latest === null || (latest.rejected === read.rejected && latest.noticed === read.noticed));
  const found = isImport ? { ...read, ...latest, isRead } : read === undefined ? undefined : null;
  /** Hear of an undo that this page has begun. A query that was under way at that moment does not know of it. */
  const listen = () => setListening((before) => before + 1);
  return { found, error, retry, listen };
}

export type Found = NonNullable<ReturnType<typeof useImport>["found"]>;
/** Whether the import is over and is not being undone. */
export const isOver = (it: { state: string; undo?: { state: string } | null }) => hasEnded(it) && it.undo?.state !== "RUNNING";
export const hasEnded = ({ state }: { state: string }) => state !== "WAITING" && state !== "RUNNING";
