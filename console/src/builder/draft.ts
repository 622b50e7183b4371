/** A condition while somebody edits it: brackets that contain leaves and brackets. Immutable: every edit creates a new tree. */

import type { ConditionInput } from "../gql/graphql";
import type { Vocabulary } from "./vocabulary";
import { areComplete, haveControls, type Fields, type Value } from "./values";

export type Match = "all" | "any" | "none";
export type Bracket = { key: number; match: Match; parts: Draft[] };
export type Leaf = { key: number; kind: string; filter: Fields };
export type Draft = Bracket | Leaf;

let keys = 0;

export const newBracket = (match: Match, parts: Draft[] = []): Bracket => ({ key: ++keys, match, parts });
export const newLeaf = (kind = "", filter: Fields = {}): Leaf => ({ key: ++keys, kind, filter });
export const isBracket = (draft: Draft): draft is Bracket => "parts" in draft;
export const blank = () => newBracket("all", [newLeaf()]);

/** The path of a bracket's part in the condition that is sent, as in the paths of the API's issues. */
export function pathOf({ match, parts }: Bracket, position: number): string[] {
  if (match !== "none") return [match, String(position)];
  return parts.length === 1 ? ["not"] : ["not", "any", String(position)];
}

/** The draft of a condition as the API writes it. */
export function draftOf(condition: Fields): Bracket {
  const draft = partOf(condition);
  return isBracket(draft) ? draft : newBracket("all", [draft]);
}

function partOf(condition: Fields): Draft {
  const [name = "all", value = []] = Object.entries(condition)[0] ?? [];
  if (name === "all" || name === "any") return newBracket(name, partsOf(value));
  if (name !== "not") return newLeaf(name, value as Fields);
  const { any } = value as Fields;
  return newBracket("none", any === undefined ? [partOf(value as Fields)] : partsOf(any));
}

const partsOf = (value: Value) => (value as Fields[]).map(partOf);

/** The condition of a draft; null while it is not complete. */
export function conditionOf(draft: Draft, vocabulary: Vocabulary): ConditionInput | null {
  if (!isBracket(draft)) return leafCondition(draft, vocabulary);
  const parts = draft.parts.map((part) => conditionOf(part, vocabulary));
  if (!parts.every((part) => part !== null)) return null;
  if (draft.match === "none") return { not: parts.length === 1 ? parts[0]! : { any: parts } };
  return draft.match === "all" ? { all: parts } : { any: parts };
}

/** Whether a leaf has everything that it needs. One that the builder cannot show is kept as it came. */
export function isSaid(leaf: Leaf, vocabulary: Vocabulary): boolean {
  const kind = vocabulary.kinds.get(leaf.kind);
  return kind !== undefined && (!isShown(leaf, vocabulary) || areComplete(leaf.filter, kind.shape, vocabulary.shapes));
}

/** Whether the builder has a control for every value of a leaf. */
export function isShown(leaf: Leaf, { kinds, shapes }: Vocabulary): boolean {
  const kind = kinds.get(leaf.kind);
  return kind === undefined || haveControls(leaf.filter, kind.shape, shapes);
}

function leafCondition(leaf: Leaf, vocabulary: Vocabulary): ConditionInput | null {
  if (!isSaid(leaf, vocabulary)) return null;
  return { [leaf.kind]: leaf.filter } as unknown as ConditionInput; // the kinds are known only at run time, and the API checks its input
}
