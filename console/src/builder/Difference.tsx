import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ConditionInput, DifferenceQuery } from "../gql/graphql";
import { compared, linesOf, type Compared, type Line } from "./lines";

const DIFFERENCE = graphql(`
  query Difference($mine: ConditionInput!, $theirs: ConditionInput!, $base: ConditionInput!) {
    mine: previewSegment(condition: $mine, sample: 0) {
      __typename
      ... on SegmentPreview {
        funnel {
          nodes {
            path
            summary
          }
        }
      }
    }
    theirs: previewSegment(condition: $theirs, sample: 0) {
      __typename
      ... on SegmentPreview {
        funnel {
          nodes {
            path
            summary
          }
        }
      }
    }
    base: previewSegment(condition: $base, sample: 0) {
      __typename
      ... on SegmentPreview {
        funnel {
          nodes {
            path
            summary
          }
        }
      }
    }
  }
`);

export type Version = { name: string; description: string; condition: ConditionInput };
type DifferenceProps = {
  mine: Version;
  theirs: Version;
  /** The segment when the edit began; null if only its revision is known. */
  base: Version | null;
};

/** Two edits of a segment, each with what it adds to the segment before both and what it removes from it. */
export function Difference({ mine, theirs, base }: DifferenceProps) {
  const before = base ?? theirs;
  const variables = { mine: mine.condition, theirs: theirs.condition, base: before.condition };
  const [{ data, error }] = useQuery({ query: DIFFERENCE, variables });
  const old = linesOfVersion(before, data?.base);
  return (
    <div className="difference-of-edits" aria-busy={!data && !error}>
      <p className="quiet">
        {base
          ? "Both are compared with the segment as it was when you began."
          : "Yours is compared with theirs: the segment as it was when you began is not known any more."}
      </p>
      <div className="edits">
        <Edit title="Mine" lines={compared(old, linesOfVersion(mine, data?.mine))} />
        <Edit title="Theirs" lines={compared(old, linesOfVersion(theirs, data?.theirs))} />
      </div>
      {error && <p>The conditions cannot be put into words at present.</p>}
    </div>
  );
}

const SIGNS = { same: "", added: "+", removed: "−" };

function Edit({ title, lines }: { title: string; lines: readonly Compared[] }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <ul>
        {lines.map(({ depth, text, change }, index) => {
          const Text = change === "added" ? "ins" : change === "removed" ? "del" : "span";
          return (
            <li key={index} className={change} style={{ paddingInlineStart: `${depth}rem` }}>
              <span className="sign" aria-hidden="true">
                {SIGNS[change]}
              </span>
              {change !== "same" && <span className="unseen">{change}: </span>}
              <Text>{text}</Text>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Its name, its description, and its condition in words. */
function linesOfVersion({ name, description }: Version, read: DifferenceQuery["mine"] | undefined): Line[] {
  const nodes = read?.__typename === "SegmentPreview" ? read.funnel.nodes : [];
  return [
    { depth: 0, text: `Name: ${name}` },
    ...(description ? [{ depth: 0, text: `Description: ${description}` }] : []),
    { depth: 0, text: "Condition:" },
    ...linesOf(nodes).map((it) => ({ ...it, depth: it.depth + 1 })),
  ];
}
