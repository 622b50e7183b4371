/** A condition while somebody edits it: groups that contain leaves and groups. Immutable: every edit creates a new tree. */

import type { ConditionInput } from "../gql/graphql";
import type { Vocabulary } from "./vocabulary";
import { areComplete, type Fields } from "./values";

export type Match = "all" | "any" | "none";
export type Group = { key: number; match: Match; parts: Draft[] };
export type Leaf = { key: number; kind: string; filter: Fields };
export type Draft = Group | Leaf;

let keys = 0;

export const newGroup = (match: Match, parts: Draft[] = []): Group => ({ key: ++keys, match, parts });
export const newLeaf = (): Leaf => ({ key: ++keys, kind: "", filter: {} });
export const isGroup = (draft: Draft): draft is Group => "parts" in draft;

/** The path of a group's part in the condition that is sent, as in the paths of the API's issues. */
export function pathOf(group: Group, position: number): string[] {
  return group.match === "none" ? ["not", "any", String(position)] : [group.match, String(position)];
}

/** The condition of a draft; null while it is not complete. */
export function conditionOf(draft: Draft, vocabulary: Vocabulary): ConditionInput | null {
  if (!isGroup(draft)) return leafCondition(draft, vocabulary);
  const parts = draft.parts.map((part) => conditionOf(part, vocabulary));
  if (!parts.every((part) => part !== null)) return null;
  return draft.match === "none" ? { not: { any: parts } } : draft.match === "all" ? { all: parts } : { any: parts };
}

export function isSaid(leaf: Leaf, vocabulary: Vocabulary): boolean {
  const kind = vocabulary.kinds.get(leaf.kind);
  return kind !== undefined && areComplete(leaf.filter, kind.shape, vocabulary.shapes);
}

function leafCondition(leaf: Leaf, vocabulary: Vocabulary): ConditionInput | null {
  if (!isSaid(leaf, vocabulary)) return null;
  return { [leaf.kind]: leaf.filter } as unknown as ConditionInput; // the kinds are known only at run time, and the API checks its input
}
