/** The exports that were asked for in this tab. A download's address is a secret, so it is kept like the token: for this tab only. */

import { useSyncExternalStore } from "react";

export type KeptExport = { id: string; segmentId: string; /** Relative to the server. */ downloadUrl: string };

const KEY = "audience-gql:exports";
const MOST = 20;
const listeners = new Set<() => void>();

/** The latest first. */
export function useKeptExports(): KeptExport[] {
  return JSON.parse(useSyncExternalStore(listen, kept)) as KeptExport[];
}

export function keepExport(made: KeptExport): void {
  change([made, ...(JSON.parse(kept()) as KeptExport[])].slice(0, MOST));
}

export function dropExport(id: string): void {
  change((JSON.parse(kept()) as KeptExport[]).filter((it) => it.id !== id));
}

const kept = () => sessionStorage.getItem(KEY) ?? "[]";

function change(all: readonly KeptExport[]): void {
  sessionStorage.setItem(KEY, JSON.stringify(all));
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
