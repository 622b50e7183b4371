import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ExplanationQuery } from "../gql/graphql";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";
import { Observed, type Names } from "./Observed";
import { treeOf, type Branch } from "./tree";
import { useRefetch } from "./useRefetch";
import "./explanation.css";

const EXPLANATION = graphql(`
  query Explanation($segment: ID!, $subscriber: ID!) {
    segment(by: { id: $segment }) {
      id
      dependsOn {
        id
        name
      }
      explain(subscriber: { id: $subscriber }) {
        isMember
        nextChangeAt
        nodes {
          path
          summary
          evaluatedAt
          matches
          observed
          nextChangeAt
        }
      }
    }
  }
`);

export type Node = NonNullable<NonNullable<ExplanationQuery["segment"]>["explain"]>["nodes"][number];

type ExplanationProps = {
  segmentId: string;
  subscriberId: string;
  /** The answer is read again when it changes. */
  version?: unknown;
};

/** Why a person is in a segment or not: the verdict and the facts of every node of the condition, and until when they last. */
export function Explanation({ segmentId, subscriberId, version }: ExplanationProps) {
  const [{ data, error }, retry] = useQuery({
    query: EXPLANATION,
    variables: { segment: segmentId, subscriber: subscriberId },
    requestPolicy: "network-only",
  });
  useRefetch(retry, version);
  const found = data?.segment?.explain;

  if (error && !found) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <p aria-busy="true">Loading…</p>;
  if (!found) return <p>This person or this segment does not exist any more.</p>;
  const names = new Map(data.segment!.dependsOn.map((it) => [it.id, it.name]));
  const at = found.nodes[0]!.evaluatedAt;
  return (
    <>
      <p className="verdict">
        {found.isMember ? "They match the condition." : "They do not match the condition."}
        {found.nodes.length > 1 && " What decides is in bold."}
      </p>
      <ul className="findings">
        <Finding branch={treeOf(found.nodes)} at={at} next={found.nextChangeAt ?? null} names={names} />
      </ul>
      <p className="quiet">{outlookOf(found.isMember, found.nextChangeAt)}</p>
    </>
  );
}

type FindingProps = {
  branch: Branch<Node>;
  /** The instant of the explanation. Nodes inside "later" look at a later one. */
  at: string;
  /** When the whole verdict can change first. */
  next: string | null;
  names: Names;
};

function Finding({ branch: { node, isDecisive, inside }, at, next, names }: FindingProps) {
  const isLeaf = inside.length === 0;
  return (
    <li className={isDecisive ? "decisive" : undefined}>
      <p className="finding">
        <span className={node.matches ? "entered" : "left"} aria-hidden="true">
          {node.matches ? "✓" : "✗"}
        </span>
        <span className="unseen">{node.matches ? "Yes: " : "No: "}</span>
        <span className="said">{node.summary}</span>
      </p>
      {isLeaf && (
        <div className="facts">
          <Observed value={node.observed} names={names} />
          {node.evaluatedAt !== at && <p>Looked at as of {shownTime(node.evaluatedAt)}.</p>}
          {node.nextChangeAt && (
            <p className={node.nextChangeAt === next ? "next" : undefined}>
              {node.nextChangeAt === next ? "This changes first: " : "Stays so until at least "}
              <time dateTime={node.nextChangeAt}>{shownTime(node.nextChangeAt)}</time>
            </p>
          )}
        </div>
      )}
      {!isLeaf && (
        <ul>
          {inside.map((it) => (
            <Finding key={it.node.path.join("/")} branch={it} at={at} next={next} names={names} />
          ))}
        </ul>
      )}
    </li>
  );
}

function outlookOf(isMember: boolean, next: string | null | undefined): string {
  if (!next) return `Without new facts, they ${isMember ? "stay in" : "stay out"} for good.`;
  return `Without new facts, they ${isMember ? "do not leave" : "do not enter"} before ${shownTime(next)}.`;
}
