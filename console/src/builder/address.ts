/** A draft behind the `#` of the builder's address, so that it survives a reload and can be shared. Servers never see this part. */

import { isBracket, newBracket, newLeaf, type Bracket, type Draft } from "./draft";
import type { Fields, Value } from "./values";

/** What somebody edits. */
export type Edited = { name: string; description: string; bracket: Bracket };
/** `revision` is that of the segment when the edit began; null for a new segment. */
export type Kept = Edited & { revision: number | null };

const START = "draft=";
/** Some programs cut longer addresses off. */
const MOST_CHARACTERS = 8_000;

/** The draft without its keys, which differ each time. */
export function textOf({ name, description, bracket }: Edited): string {
  return JSON.stringify([name, description, withoutKeys(bracket)]);
}

/** What stands behind the `#`; null if it would be too long. */
export function addressOf(edited: Edited, revision: number | null): string | null {
  const { name, description, bracket } = edited;
  const text = START + encodeURIComponent(JSON.stringify({ name, description, revision, parts: withoutKeys(bracket) }));
  return text.length > MOST_CHARACTERS ? null : text;
}

/** The draft of the open address, null if it has none, and "unreadable" if it was damaged. */
export function keptDraft(): Kept | "unreadable" | null {
  const text = location.hash.slice(1);
  if (!text.startsWith(START)) return null;
  try {
    const { name, description, revision, parts } = JSON.parse(decodeURIComponent(text.slice(START.length))) as Record<string, unknown>;
    const bracket = withKeys(parts);
    if (!isBracket(bracket)) return "unreadable";
    return { name: String(name), description: String(description), revision: revision === null ? null : Number(revision), bracket };
  } catch {
    return "unreadable";
  }
}

/** A bracket becomes a pair, and a leaf an object with one key. JSON has no `undefined`, so null stands for a missing value. */
function withoutKeys(draft: Draft): unknown {
  if (isBracket(draft)) return [draft.match, draft.parts.map(withoutKeys)];
  return JSON.parse(JSON.stringify({ [draft.kind]: draft.filter }, (_, value: unknown) => value ?? null)) as unknown;
}

/** Throws an error if it is no draft. */
function withKeys(written: unknown): Draft {
  if (Array.isArray(written)) {
    const [match, parts] = written as [Bracket["match"], unknown[]];
    if (!["all", "any", "none"].includes(match)) throw new Error("no bracket");
    return newBracket(match, parts.map(withKeys));
  }
  const [kind, filter] = Object.entries(written as object)[0]!;
  return newLeaf(kind, withMissing(filter as Value | null) as Fields);
}

function withMissing(value: Value | null): Value {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withMissing);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, withMissing(it)]));
}
