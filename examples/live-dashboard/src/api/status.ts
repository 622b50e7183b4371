/** Whether what is shown is live. One for the page, since all subscriptions share one socket. */

import { useSyncExternalStore } from "react";

export type Status = { phase: "connecting" } | { phase: "live" } | { phase: "away"; retryAt: number };

let current: Status = { phase: "connecting" };
const listeners = new Set<() => void>();

export function setStatus(status: Status): void {
  if (status.phase === "live" && current.phase === "live") return;
  current = status;
  for (const listener of listeners) listener();
}

export function useStatus(): Status {
  return useSyncExternalStore(listen, () => current);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
