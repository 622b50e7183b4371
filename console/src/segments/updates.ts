/** The last update of each segment, in one place for all components that show it. */

import { useEffect, useSyncExternalStore } from "react";
import { useClient } from "urql";

import { graphql } from "../api/graphql";
import type { SegmentUpdatesSubscription } from "../gql/graphql";

const SEGMENT_UPDATES = graphql(`
  subscription SegmentUpdates($ids: [ID!]!) {
    segmentUpdates(ids: $ids) {
      id
      name
      revision
      summary
      state
      failure
      memberCount
    }
  }
`);

type Heard = SegmentUpdatesSubscription["segmentUpdates"];

const heard = new Map<string, Heard>();
const listeners = new Set<() => void>();

/** Receive updates of these segments while a component shows them. */
export function useUpdates(ids: readonly string[]): void {
  const client = useClient();
  const wanted = JSON.stringify(ids);
  useEffect(() => {
    const asked = JSON.parse(wanted) as string[];
    if (asked.length === 0) return;
    const { unsubscribe } = client.subscription(SEGMENT_UPDATES, { ids: asked }).subscribe(({ data }) => {
      if (!data) return;
      heard.set(data.segmentUpdates.id, data.segmentUpdates);
      for (const listener of listeners) listener();
    });
    return unsubscribe;
  }, [client, wanted]);
}

/** A segment as it was read, with its later updates. */
export function useLive<Read extends Pick<Heard, "id">>(segment: Read): Read {
  const news = useSyncExternalStore(listen, () => heard.get(segment.id));
  return news ? { ...segment, ...news } : segment;
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
