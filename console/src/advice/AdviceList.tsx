import { useEffect, useRef, useState } from "react";
import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { AdviceQuery, SegmentAdviceKind } from "../gql/graphql";
import { toSegment } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { counted, shownTime } from "../words";

const ADVICE = graphql(`
  query Advice {
    segmentAdvice(first: 100) {
      kind
      message
      segment {
        id
        name
        reviewedAt
      }
      other {
        id
        name
      }
    }
  }
`);
const MARK = graphql(`
  mutation MarkReviewed($input: MarkReviewedInput!) {
    markReviewed(input: $input) {
      __typename
      ... on MarkReviewedPayload {
        segments {
          id
          reviewedAt
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);

const MOST = 100;
const KINDS: Record<SegmentAdviceKind, string> = {
  EQUAL: "Equal to another segment",
  ALIKE: "Like another segment",
  EMPTY: "Empty",
  EVERYBODY: "Everybody",
  CONTAINED: "Nearly all of another segment",
  NEVER_CHANGING: "Never changes",
  UNUSED: "Not used",
  NEVER_REVIEWED: "Not reviewed",
  TOO_SMALL: "Many small segments",
};
/** An empty list names no type, so that the cache would not know that it is about segments. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

type Advice = AdviceQuery["segmentAdvice"][number];

/** What to tidy up among the segments, each with its reason, and a button that says that somebody has looked. */
export function AdviceList() {
  const [{ data, error }, retry] = useQuery({
    query: ADVICE,
    requestPolicy: "cache-and-network",
    context: OF_SEGMENTS,
  });
  useShown(ADVICE, {});
  const [said, setSaid] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const advice = data?.segmentAdvice;

  // An advice whose button had the focus may disappear. The visitor goes on at the heading.
  useEffect(() => {
    if (said !== "" && document.activeElement === document.body) heading.current?.focus();
  }, [advice, said]);

  return (
    <article className="answers">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Advice
        </h2>
        <p className="quiet" role="status">
          {said}
        </p>
      </header>
      {error && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {!advice && !error && (
        <p className="empty" aria-busy="true">
          Looking through all segments…
        </p>
      )}
      {advice?.length === 0 && <p className="empty">Nothing to advise: all segments have people, differ from one another, and are used and reviewed.</p>}
      {advice && advice.length > 0 && (
        <>
          <p className="quiet">
            {advice.length === MOST ? `The first ${MOST} findings.` : `${counted(advice.length, "finding", "findings")}.`} To mark a
            segment as reviewed says that somebody looked and found it right. It changes nothing else.
          </p>
          <ul className="advice">
            {advice.map((it) => (
              <AdviceItem key={`${it.kind} ${it.segment?.id} ${it.other?.id}`} advice={it} onSaid={setSaid} />
            ))}
          </ul>
        </>
      )}
    </article>
  );
}

type AdviceItemProps = { advice: Advice; onSaid: (said: string) => void };

function AdviceItem({ advice: { kind, message, segment, other }, onSaid }: AdviceItemProps) {
  const [{ fetching }, mark] = useMutation(MARK);
  const [problem, setProblem] = useState<string | null>(null);

  async function review(id: string, name: string) {
    const { data, error } = await mark({ input: { segmentIds: [id] } });
    const answer = data?.markReviewed;
    const isDone = answer?.__typename === "MarkReviewedPayload";
    setProblem(isDone ? null : (answer?.message ?? error?.graphQLErrors[0]?.message ?? "The API does not answer."));
    if (isDone) onSaid(`“${name}” is marked as reviewed.`);
  }

  return (
    <li>
      <div>
        <p className="kind">{KINDS[kind]}</p>
        <p className="message">{message}</p>
        <p className="links">
          {segment && <a href={toSegment(segment.id)}>{segment.name}</a>}
          {other && <a href={toSegment(other.id)}>{other.name}</a>}
          {segment?.reviewedAt && <span className="quiet">reviewed {shownTime(segment.reviewedAt)}</span>}
        </p>
        <p className="problem" role="alert">
          {problem}
        </p>
      </div>
      {segment && (
        <button
          type="button"
          aria-label={`Mark as reviewed: ${segment.name}`}
          aria-disabled={fetching}
          onClick={() => !fetching && void review(segment.id, segment.name)}
        >
          Mark as reviewed
        </button>
      )}
    </li>
  );
}
