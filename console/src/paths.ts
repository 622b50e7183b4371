/**
 * The addresses of the console's pages. Each can be shared.
 *
 * The server answers the same addresses with this page: `src/audience_gql/pages/addresses.py`, and a test compares the two.
 */

import { useMemo, useSyncExternalStore } from "react";

import { mayLeave } from "./unsaved";

/** The first one that fits an address is open. `:id` stands for one part of an address. */
const PATHS = {
  home: "/",
  "sign-in": "/sign-in",
  "new-segment": "/segments/new",
  segment: "/segments/:id",
  "edit-segment": "/segments/:id/edit",
  leaving: "/segments/:id/leaving",
  export: "/segments/:id/export",
  automations: "/automations",
  "new-automation": "/automations/new",
  automation: "/automations/:id",
  "edit-automation": "/automations/:id/edit",
  compare: "/compare",
  advice: "/advice",
  imports: "/imports",
  import: "/imports/:id",
  people: "/people",
  "new-person": "/people/new",
  person: "/people/:id",
  "edit-person": "/people/:id/edit",
  groups: "/groups",
  "new-group": "/groups/new",
  group: "/groups/:id",
  "edit-group": "/groups/:id/edit",
  administration: "/administration",
  endpoints: "/administration/webhooks",
  "new-endpoint": "/administration/webhooks/new",
  endpoint: "/administration/webhooks/:id",
  "edit-endpoint": "/administration/webhooks/:id/edit",
  delivery: "/administration/deliveries/:id",
  tokens: "/administration/tokens",
  "new-token": "/administration/tokens/new",
  fields: "/administration/fields",
  "new-field": "/administration/fields/new",
  trail: "/administration/trail",
} as const;

export type PageName = keyof typeof PATHS;
export type Route = { page: PageName | "unknown"; id: string };

/** The path before all of the console's addresses, with a slash at its end: "/", unless a proxy puts a prefix before it. */
const BASE = new URL(document.baseURI).pathname;

export const toPage = (page: PageName, id = "") =>
  BASE + PATHS[page].slice(1).replace(":id", encodeURIComponent(id));

export const HOME = toPage("home");
export const NEW_SEGMENT = toPage("new-segment");
export const AUTOMATIONS = toPage("automations");
export const NEW_AUTOMATION = toPage("new-automation");
export const COMPARE = toPage("compare");
export const ADVICE = toPage("advice");
export const IMPORTS = toPage("imports");
export const toExport = (id: string) => toPage("export", id);
export const toImport = (id: string) => toPage("import", id);
export const PEOPLE = toPage("people");
export const NEW_PERSON = toPage("new-person");
export const toPerson = (id: string) => toPage("person", id);
export const GROUPS = toPage("groups");
export const NEW_GROUP = toPage("new-group");
export const toGroup = (id: string) => toPage("group", id);
export const ADMINISTRATION = toPage("administration");
export const ENDPOINTS = toPage("endpoints");
export const toEndpoint = (id: string) => toPage("endpoint", id);
export const toDelivery = (id: string) => toPage("delivery", id);
export const TOKENS = toPage("tokens");
export const FIELDS = toPage("fields");
export const TRAIL = toPage("trail");
/** The changes of one object. */
export const toTrail = (object: string) => `${TRAIL}?${new URLSearchParams({ object })}`;
export const toSegment = (id: string) => toPage("segment", id);
export const toEditingSegment = (id: string) => toPage("edit-segment", id);
/** The form for a new segment, filled with this one. */
export const toCopying = (id: string) => `${NEW_SEGMENT}?${new URLSearchParams({ from: id })}`;
export const toLeaving = (id: string) => toPage("leaving", id);
export const toAutomation = (id: string) => toPage("automation", id);
export const toEditing = (id: string) => toPage("edit-automation", id);
/** The playground is another page of the same origin, and uses the same token. */
export const PLAYGROUND = `${BASE}graphiql`;

/** What the browser's address opens. The back and forward buttons work. */
export function useRoute(): Route {
  const path = useSyncExternalStore(listen, () => location.pathname);
  return useMemo(() => routeOf(path), [path]);
}

/** What a page wrote behind the `?` of its address, so that it can be shared. */
export function useChoices(): URLSearchParams {
  const search = useSyncExternalStore(listen, () => location.search);
  return useMemo(() => new URLSearchParams(search), [search]);
}

/** Write the choices of the open page into its address. The page stays where it is scrolled to. */
export function choose(choices: URLSearchParams): void {
  const search = choices.toString();
  replace(location.pathname + (search && `?${search}`));
  tellEverybody();
}

/** Write something behind the `#` of the address. A server never sees it, so it may be long and may name people. */
export function keepInAddress(text: string): void {
  replace(location.pathname + location.search + (text && `#${text}`));
}

/** Open another page of the console without loading this one again, if the visitor loses nothing or agrees. */
export function go(address: string): void {
  if (!mayLeave()) return;
  history.pushState(null, "", address);
  here = location.href;
  visits++;
  scrollTo(0, 0);
  tellEverybody();
}

/** A number that grows when the visitor goes to a page, also to the one that is open. */
export function useVisit(): number {
  return useSyncExternalStore(listen, () => visits);
}

/** Let links to the console's own pages be followed by `go`. A click that asks for another tab, and other links, stay the browser's. */
export function followLinks(): () => void {
  addEventListener("click", follow);
  return () => removeEventListener("click", follow);
}

function routeOf(path: string): Route {
  for (const [page, pattern] of Object.entries(PATHS) as [PageName, string][]) {
    const parts = new RegExp(`^${pattern.slice(1).replace(":id", "([^/]+)")}$`).exec(path.slice(BASE.length));
    if (parts) return { page, id: decoded(parts[1] ?? "") };
  }
  return { page: "unknown", id: "" };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a percent sign that begins no escape
  }
}

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || link.target || link.origin !== location.origin || link.hash) return;
  if (!link.pathname.startsWith(BASE) || routeOf(link.pathname).page === "unknown") return;
  event.preventDefault();
  go(link.pathname + link.search);
}

const listeners = new Set<() => void>();
/** The address of the open page. */
let here = location.href;
let visits = 0;

function replace(address: string): void {
  history.replaceState(null, "", address);
  here = location.href;
}

function tellEverybody(): void {
  for (const listener of listeners) listener();
}

/** The browser has already changed the address. A visitor who stays gets it back. */
function followBrowser(): void {
  if (!mayLeave()) return history.pushState(null, "", here);
  here = location.href;
  visits++;
  tellEverybody();
}

addEventListener("popstate", followBrowser);

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
