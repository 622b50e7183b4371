/** The operations whose answers are shown at present, for the link that opens them in the playground. */

import { useEffect, useSyncExternalStore } from "react";

import type { Texts } from "./api/graphql";
import { PLAYGROUND } from "./paths";

type Shown = { document: unknown; variables: object };

let shown: readonly Shown[] = [];
const listeners = new Set<() => void>();

/** Let "Open as GraphQL" include this operation while the component is there and the variables are not null. */
export function useShown(document: unknown, variables: object | null): void {
  const given = JSON.stringify(variables);
  useEffect(() => {
    if (given === "null") return;
    const operation = { document, variables: JSON.parse(given) as object };
    change([...shown, operation]);
    return () => change(shown.filter((it) => it !== operation));
  }, [document, given]);
}

/** The operations that are shown now. */
export function useAllShown(): readonly Shown[] {
  return useSyncExternalStore(listen, () => shown);
}

/** The playground's address with these operations, each once, and their variables. The token is not in it. */
export function playgroundWith(operations: readonly Shown[], textOf: Texts): string {
  const texts = new Set(operations.map((it) => withoutIndent(textOf(it.document))));
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
