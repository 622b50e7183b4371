/** The imports that were started in this browser. The API has no list of them, so their ids are kept here. */

import { useSyncExternalStore } from "react";

const KEY = "audience-gql:imports";
const MOST = 20;

const listeners = new Set<() => void>();

/** The ids, the latest first. Those of another workspace are among them; the API does not know them under this token. */
export function useKeptIds(): string[] {
  return idsOf(useSyncExternalStore(listen, kept));
}

export function keepId(id: string): void {
  const others = idsOf(kept()).filter((it) => it !== id);
  localStorage.setItem(KEY, JSON.stringify([id, ...others].slice(0, MOST)));
  for (const listener of listeners) listener();
}

const kept = () => localStorage.getItem(KEY) ?? "[]";

function idsOf(text: string): string[] {
  try {
    const ids: unknown = JSON.parse(text);
    return Array.isArray(ids) ? ids.filter((it) => typeof it === "string") : [];
  } catch {
    return []; // written by something else
  }
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
