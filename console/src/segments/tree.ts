/** The nodes of an explanation as a tree, with the nodes that decided the result. */

type Found = { path: readonly string[]; matches: boolean };

export type Branch<Node> = { node: Node; isDecisive: boolean; inside: Branch<Node>[] };

/** Each node comes before the nodes inside it, and the first is about the whole condition. */
export function treeOf<Node extends Found>(nodes: readonly Node[]): Branch<Node> {
  const root: Branch<Node> = { node: nodes[0]!, isDecisive: true, inside: [] };
  const open = [root];
  for (const node of nodes.slice(1)) {
    while (!isInside(node, open.at(-1)!.node)) open.pop();
    const parent = open.at(-1)!;
    const branch = { node, isDecisive: parent.isDecisive && decides(node, parent.node), inside: [] };
    parent.inside.push(branch);
    open.push(branch);
  }
  return root;
}

function isInside(node: Found, parent: Found): boolean {
  return node.path.length > parent.path.length && parent.path.every((it, index) => it === node.path[index]);
}

/** Whether the parent's verdict depends on this one: those that miss from an "all", and those that hold in an "any". */
function decides(node: Found, parent: Found): boolean {
  const combinator = node.path[parent.path.length];
  return (combinator !== "all" && combinator !== "any") || node.matches === parent.matches;
}
