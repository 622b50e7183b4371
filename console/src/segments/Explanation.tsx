import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";

const EXPLANATION = graphql(`
  query Explanation($segment: ID!, $subscriber: ID!) {
    segment(by: { id: $segment }) {
      id
      explain(subscriber: { id: $subscriber }) {
        nextChangeAt
        nodes {
          path
          summary
          matches
        }
      }
    }
  }
`);

type ExplanationProps = { segmentId: string; subscriberId: string };

/** The verdict of every node of the condition for this person, and until when it lasts. */
export function Explanation({ segmentId, subscriberId }: ExplanationProps) {
  const [{ data, error }, retry] = useQuery({
    query: EXPLANATION,
    variables: { segment: segmentId, subscriber: subscriberId },
    requestPolicy: "network-only",
  });
  const found = data?.segment?.explain;

  if (error) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <p aria-busy="true">Loading…</p>;
  if (!found) return <p>This person does not exist any more.</p>;
  return (
    <>
      <ul className="findings">
        {found.nodes.map((node) => (
          <li key={node.path.join("/")} style={{ marginInlineStart: `${node.path.length * 0.75}rem` }}>
            <span className={node.matches ? "entered" : "left"}>{node.matches ? "✓" : "✗"}</span>
            <span className="unseen">{node.matches ? "Yes: " : "No: "}</span> {node.summary}
          </li>
        ))}
      </ul>
      <p className="quiet">
        {found.nextChangeAt
          ? `Without new facts, this does not change before ${shownTime(found.nextChangeAt)}.`
          : "Without new facts, this does not change."}
      </p>
    </>
  );
}
