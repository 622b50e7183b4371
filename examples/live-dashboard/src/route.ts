/** What is open, in the URL's hash: `#/segments/<id>`, `#/new`, `#/automations`, `#/automations/<id>`, `#/automations/<id>/edit` or `#/new-automation`. The browser's back and forward buttons work. */

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "segment" | "automation" | "edit-automation"; id: string }
  | { page: "new" | "automations" | "new-automation" | "home" };

export const NEW = "#/new";
export const AUTOMATIONS = "#/automations";
export const NEW_AUTOMATION = "#/new-automation";
export const toSegment = (id: string) => `#/segments/${encodeURIComponent(id)}`;
export const toAutomation = (id: string) => `${AUTOMATIONS}/${encodeURIComponent(id)}`;
export const toEditing = (id: string) => `${toAutomation(id)}/edit`;

export function useRoute(): Route {
  const hash = useSyncExternalStore(listen, () => location.hash);
  if (hash === NEW) return { page: "new" };
  if (hash === AUTOMATIONS) return { page: "automations" };
  if (hash === NEW_AUTOMATION) return { page: "new-automation" };
  const [, kind, id, edit] = /^#\/(segment|automation)s\/([^/]+)(\/edit)?$/.exec(hash) ?? [];
  if (id === undefined || (edit && kind === "segment")) return { page: "home" };
  const page = edit ? "edit-automation" : (kind as "segment" | "automation");
  return { page, id: decodeURIComponent(id) };
}

function listen(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
