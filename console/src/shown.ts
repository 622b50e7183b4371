/** The operations whose answers are shown at present, for the link that opens them in the playground. */

import { useEffect, useSyncExternalStore } from "react";

import { textOf } from "./api/graphql";
import { PLAYGROUND } from "./paths";

type Shown = { text: string; variables: object };

let shown: readonly Shown[] = [];
const listeners = new Set<() => void>();

/** Let "Open as GraphQL" include this operation while the component is there and the variables are not null. */
export function useShown(document: unknown, variables: object | null): void {
  const text = textOf(document);
  const given = JSON.stringify(variables);
  useEffect(() => {
    if (given === "null") return;
    const operation = { text, variables: JSON.parse(given) as object };
    change([...shown, operation]);
    return () => change(shown.filter((it) => it !== operation));
  }, [text, given]);
}

/** The playground's address with all operations that are shown, each once, and their variables; null if there are none. The token is not in it. */
export function usePlaygroundAddress(): string | null {
  const operations = useSyncExternalStore(listen, () => shown);
  if (operations.length === 0) return null;
  const texts = new Set(operations.map((it) => withoutIndent(it.text)));
  const variables = Object.assign({}, ...operations.map((it) => it.variables)) as object;
  const parts = new URLSearchParams({ query: [...texts].join("\n\n"), variables: JSON.stringify(variables, null, 2) });
  return `${PLAYGROUND}#${parts}`;
}

function change(operations: readonly Shown[]): void {
  shown = operations;
  for (const listener of listeners) listener();
}

function withoutIndent(text: string): string {
  const lines = text.split("\n").filter((it) => it.trim() !== "");
  const indent = Math.min(...lines.map((it) => it.search(/\S/)));
  return lines.map((it) => it.slice(indent)).join("\n");
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
