/** What is open, in the URL's hash: `#/segments/<id>` or `#/new`. The browser's back and forward buttons work. */

import { useSyncExternalStore } from "react";

export type Route = { page: "segment"; id: string } | { page: "new" } | { page: "home" };

export const NEW = "#/new";
export const toSegment = (id: string) => `#/segments/${encodeURIComponent(id)}`;

export function useRoute(): Route {
  const hash = useSyncExternalStore(listen, () => location.hash);
  if (hash === NEW) return { page: "new" };
  const id = /^#\/segments\/(.+)$/.exec(hash)?.[1];
  return id === undefined ? { page: "home" } : { page: "segment", id: decodeURIComponent(id) };
}

function listen(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
