import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import type { Tally } from "../changes/useChanges";
import { graphql } from "../api/graphql";
import type { SegmentQuery } from "../gql/graphql";
import { toCopying, toEditingSegment, toExport, toLeaving } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { DeleteSegment } from "./DeleteSegment";
import { Flow } from "./Flow";
import { Members } from "./Members";
import { MovingNumber } from "./MovingNumber";
import { PauseButton } from "./PauseButton";
import { Performance } from "./Performance";
import { Recent } from "./Recent";
import { Related } from "./Related";
import { RenameButton } from "./RenameButton";
import { Sizes } from "./Sizes";
import { useLive, useUpdates } from "./updates";
import "./segments-page.css";

const SEGMENT = graphql(`
  query Segment($id: ID!) {
    segment(by: { id: $id }) {
      id
      name
      description
      revision
      summary
      state
      failure
      memberCount
    }
  }
`);

/** One segment: its size, its condition in a sentence, and its members. */
export function SegmentView({ id, tally }: { id: string; tally: Tally | undefined }) {
  const [{ data, error }, retry] = useQuery({ query: SEGMENT, variables: { id } });
  useShown(SEGMENT, { id });
  useUpdates([id]);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading…
      </p>
    );
  if (!data.segment) return <p className="empty">This segment does not exist, or no longer exists.</p>;
  return <Shown segment={data.segment} tally={tally} />;
}

type ShownProps = { segment: NonNullable<SegmentQuery["segment"]>; tally: Tally | undefined };

function Shown({ segment: read, tally }: ShownProps) {
  const segment = useLive(read);
  const heading = useRef<HTMLHeadingElement>(null);
  // The feed does not tell what happened before it began, but the size does.
  const version = [tally?.entered, tally?.left, segment.memberCount, segment.state].join();

  // Visitors who use the keyboard continue here, not at the top of the page.
  useEffect(() => heading.current?.focus(), []);

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
        {segment.description && <p className="quiet">{segment.description}</p>}
        {segment.state === "PAUSED" && <p className="paused">Paused: it keeps its members until it is resumed.</p>}
        {segment.failure && <p className="problem">{segment.failure}</p>}
        <div className="actions">
          <a className="button" href={toEditingSegment(segment.id)}>
            Edit
          </a>
          <a className="button" href={toCopying(segment.id)}>
            Duplicate
          </a>
          <RenameButton id={segment.id} name={segment.name} revision={segment.revision} />
          <PauseButton id={segment.id} state={segment.state} />
          <DeleteSegment id={segment.id} name={segment.name} />
        </div>
        <p className="links">
          <a href={`${toLeaving(segment.id)}?within=week`}>Who leaves this week?</a>
          <a href={toExport(segment.id)}>Export the members to a file</a>
        </p>
      </header>
      <Sizes id={segment.id} name={segment.name} members={segment.memberCount} />
      <Flow id={segment.id} />
      <Recent segmentId={segment.id} version={version} />
      <Members segmentId={segment.id} isPaused={segment.state === "PAUSED"} version={version} />
      <Performance id={segment.id} />
      <Related id={segment.id} />
    </article>
  );
}
