/** Whether the server belongs to another release than this page, so that it does not know a document of the page. Loading the page again helps. */

import { useSyncExternalStore } from "react";

let isOutdated = false;
const listeners = new Set<() => void>();

export function markOutdated(): void {
  isOutdated = true;
  for (const listener of listeners) listener();
}

export function useOutdated(): boolean {
  return useSyncExternalStore(listen, () => isOutdated);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
