/** Lists that change while somebody looks at them. */

import { useRef } from "react";

export type Kept<Entry> = { entry: Entry; isGone: boolean };

/** The entries in the order in which they were shown first. New ones come before them, and those that are gone stay, so that no row moves away. */
export function useKept<Entry>(entries: readonly Entry[], idOf: (entry: Entry) => string): Kept<Entry>[] {
  const shown = useRef<readonly Entry[]>([]);
  const present = new Map(entries.map((it) => [idOf(it), it]));
  const known = new Set(shown.current.map(idOf));
  const fresh = entries.filter((it) => !known.has(idOf(it)));
  shown.current = [...fresh, ...shown.current.map((it) => present.get(idOf(it)) ?? it)];
  return shown.current.map((entry) => ({ entry, isGone: !present.has(idOf(entry)) }));
}
