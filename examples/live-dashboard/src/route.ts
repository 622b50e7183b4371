/** What is open, in the URL's hash: `#/segments/<id>`, `#/new`, `#/automations`, `#/automations/<id>` or `#/new-automation`. The browser's back and forward buttons work. */

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "segment" | "automation"; id: string }
  | { page: "new" | "automations" | "new-automation" | "home" };

export const NEW = "#/new";
export const AUTOMATIONS = "#/automations";
export const NEW_AUTOMATION = "#/new-automation";
export const toSegment = (id: string) => `#/segments/${encodeURIComponent(id)}`;
export const toAutomation = (id: string) => `${AUTOMATIONS}/${encodeURIComponent(id)}`;

export function useRoute(): Route {
  const hash = useSyncExternalStore(listen, () => location.hash);
  if (hash === NEW) return { page: "new" };
  if (hash === AUTOMATIONS) return { page: "automations" };
  if (hash === NEW_AUTOMATION) return { page: "new-automation" };
  const [, kind, id] = /^#\/(segment|automation)s\/(.+)$/.exec(hash) ?? [];
  if (id === undefined) return { page: "home" };
  return { page: kind as "segment" | "automation", id: decodeURIComponent(id) };
}

function listen(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
