import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import type { Tally } from "../changes/useChanges";
import { graphql } from "../gql";
import { Trouble } from "../Trouble";
import { Members } from "./Members";
import { MovingNumber } from "./MovingNumber";
import { useRefetch } from "./useRefetch";

const SEGMENT = graphql(`
  query Segment($id: ID!) {
    segment(by: { id: $id }) {
      id
      name
      summary
      state
      failure
      memberCount
    }
  }
`);

/** One segment: how many, in words whom, and who they are. */
export function SegmentView({ id, tally }: { id: string; tally: Tally | undefined }) {
  const [{ data, error }, retry] = useQuery({ query: SEGMENT, variables: { id } });
  useRefetch(retry, tally);
  const heading = useRef<HTMLHeadingElement>(null);
  const segment = data?.segment;

  // Whoever came by keyboard goes on reading here, not at the top of the page.
  useEffect(() => heading.current?.focus(), [segment?.id]);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <p className="empty" aria-busy="true">Loading…</p>;
  if (!segment) return <p className="empty">There is no such segment, or no longer.</p>;
  return (
    <article>
      <header className="subject">
        <h2 ref={heading} tabIndex={-1}>
          {segment.name}
        </h2>
        <p className="figure">
          <MovingNumber value={segment.memberCount} /> <span className="quiet">members</span>
        </p>
        <p className="summary">{segment.summary}</p>
        {segment.failure && <p className="problem">{segment.failure}</p>}
      </header>
      <Members segmentId={id} changes={tally ? tally.entered + tally.left : 0} />
    </article>
  );
}
