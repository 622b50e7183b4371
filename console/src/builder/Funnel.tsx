import { useId } from "react";

import { graphql } from "../api/graphql";
import type { ConditionInput, FunnelQuery } from "../gql/graphql";
import { treeOf, type Branch } from "../segments/tree";
import { useShown } from "../shown";
import { isBracketStep, wordsOf } from "./lines";
import { NearMisses } from "./NearMisses";
import { useWhileTyping } from "./useWhileTyping";

const FUNNEL = graphql(`
  query Funnel($condition: ConditionInput!) {
    previewSegment(condition: $condition, sample: 0) {
      __typename
      ... on SegmentPreview {
        funnel {
          people
          nodes {
            path
            summary
            matched
            matchedMargin
            nearMisses
            nearMissesMargin
          }
        }
      }
    }
  }
`);

type Node = Extract<FunnelQuery["previewSegment"], { __typename: "SegmentPreview" }>["funnel"]["nodes"][number];

/** For each part of a condition, how many people match it, and how many lack only it. */
export function Funnel({ condition }: { condition: ConditionInput | null }) {
  const variables = condition && { condition };
  const { data, isStale, asked } = useWhileTyping(FUNNEL, variables);
  useShown(FUNNEL, variables);
  const funnel = data?.previewSegment.__typename === "SegmentPreview" ? data.previewSegment.funnel : null;
  if (!funnel || !asked || condition === null) return null;
  const tree = treeOf(funnel.nodes.map((it) => ({ ...it, matches: true })));
  return (
    <section className={isStale ? "shown stale" : "shown"} aria-label="People by part of the condition">
      <h3>How many match each part</h3>
      <ul className="funnel">
        <Part branch={tree} people={funnel.people} condition={asked.condition} />
      </ul>
    </section>
  );
}

type PartProps = {
  branch: Branch<Node & { matches: boolean }>;
  people: number;
  condition: ConditionInput;
  /** Whether it is the only part of its bracket, so that it says the same. */
  isAlone?: boolean;
};

function Part({ branch: { node, inside }, people, condition, isAlone = false }: PartProps) {
  const { path, matched, matchedMargin } = node;
  const words = useId();
  const isWhole = path.length === 0;
  const step = inside[0]?.node.path[path.length];
  const hasParts = step !== undefined && isBracketStep(step);
  const parts = step === "not" ? inside.flatMap((it) => (isAny(it) ? it.inside : [it])) : inside;
  const isExcluding = (step === "not") !== (path.filter((it) => it === "not").length % 2 === 1);
  const share = people > 0 ? Math.min(1, matched / people) : 0;
  return (
    <li>
      <p className="part-of-all">
        <span id={words}>{isWhole && hasParts ? "The whole condition" : wordsOf(node, step)}</span>
        <span className="number">
          {matched.toLocaleString()}
          {matchedMargin > 0 && ` ± ${matchedMargin.toLocaleString()}`}
        </span>
      </p>
      <span className="share" aria-hidden="true">
        <span style={{ transform: `scaleX(${share})` }} />
      </span>
      {!isWhole && !isAlone && (
        <NearMisses node={node} condition={condition} isExcluding={isExcluding} describedBy={words} />
      )}
      {hasParts && (
        <ul>
          {parts.map((it) => (
            <Part key={it.node.path.join("/")} branch={it} people={people} condition={condition} isAlone={parts.length === 1} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** "None of these" has an "any" inside it, which says nothing more. */
function isAny({ node, inside }: Branch<Node & { matches: boolean }>): boolean {
  return inside[0]?.node.path[node.path.length] === "any";
}
