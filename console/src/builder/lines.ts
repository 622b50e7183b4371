/** A condition as lines of words, and what differs between two of them. */

export type Line = { depth: number; text: string };
export type Compared = Line & { change: "same" | "added" | "removed" };

type Node = { path: readonly string[]; summary: string };

const BRACKETS: Record<string, string> = { all: "All of these:", any: "Any of these:", not: "None of these:" };

/** The lines of a condition's nodes, each of which comes before the nodes inside it. */
export function linesOf(nodes: readonly Node[]): Line[] {
  return nodes
    .filter(({ path }) => path.every((step) => isBracketStep(step) || /^\d+$/.test(step)))
    .filter((node) => node.path.at(-1) !== "not" || stepInto(node, nodes) !== "any") // "none of these" says it already
    .map((node) => ({ depth: depthOf(node.path), text: wordsOf(node, stepInto(node, nodes)) }));
}

/** Whether a step of a path leads into a bracket, and not into a filter. */
export function isBracketStep(step: string): boolean {
  return step in BRACKETS;
}

/** A node in words. `step` is that from the node to the nodes inside it; undefined if there are none. */
export function wordsOf(node: Node, step: string | undefined): string {
  return BRACKETS[step ?? ""] ?? node.summary;
}

function stepInto(node: Node, nodes: readonly Node[]): string | undefined {
  const { length } = node.path;
  const inner = nodes.find(({ path }) => path.length > length && node.path.every((step, index) => step === path[index]));
  return inner?.path[length];
}

/** One level for each bracket. */
function depthOf(path: readonly string[]): number {
  return path.filter((step, index) => isBracketStep(step) && !(step === "any" && path[index - 1] === "not")).length;
}

/** Both texts as one, in which the lines of only the first are removed and those of only the second are added. */
export function compared(before: readonly Line[], after: readonly Line[]): Compared[] {
  const [first, ...rest] = before;
  const [second, ...others] = after;
  if (!first) return after.map((it) => ({ ...it, change: "added" }));
  if (!second) return before.map((it) => ({ ...it, change: "removed" }));
  if (isSame(first, second)) return [{ ...second, change: "same" }, ...compared(rest, others)];
  if (common(rest, after) >= common(before, others)) return [{ ...first, change: "removed" }, ...compared(rest, after)];
  return [{ ...second, change: "added" }, ...compared(before, others)];
}

/** How many lines two texts have in common, in the same order. */
function common(one: readonly Line[], other: readonly Line[]): number {
  let last = other.map(() => 0);
  for (const line of one) {
    const next: number[] = [];
    for (const [index, it] of other.entries())
      next.push(isSame(line, it) ? (last[index - 1] ?? 0) + 1 : Math.max(last[index]!, next[index - 1] ?? 0));
    last = next;
  }
  return last.at(-1) ?? 0;
}

function isSame(one: Line, other: Line): boolean {
  return one.depth === other.depth && one.text === other.text;
}
