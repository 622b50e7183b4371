/** Whether the page is live: only if all subscriptions are. */

import { useSyncExternalStore } from "react";

export type Status = { phase: "connecting" } | { phase: "live" } | { phase: "away"; retryAt: number };

let current: Status = { phase: "connecting" };
const statuses = new Map<AbortSignal, Status>();
const listeners = new Set<() => void>();

/** Set the status of a subscription, which its abort signal identifies; null when it has ended. */
export function setStatus(subscription: AbortSignal, status: Status | null): void {
  if (status === null) statuses.delete(subscription);
  else statuses.set(subscription, status);
  const all = [...statuses.values()];
  const next = all.find((it) => it.phase === "away") ?? all.find((it) => it.phase === "live");
  if (next === undefined || (next.phase === "live" && current.phase === "live")) return;
  current = next;
  for (const listener of listeners) listener();
}

export function useStatus(): Status {
  return useSyncExternalStore(listen, () => current);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
