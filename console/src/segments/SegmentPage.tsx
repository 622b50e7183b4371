import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Trouble } from "../Trouble";
import type { SegmentListProps } from "./SegmentList";
import { SegmentRow } from "./SegmentRow";
import { useUpdates } from "./updates";

export const SEGMENTS = graphql(`
  query Segments($after: String) {
    segments(first: 50, after: $after, orderBy: SIZE_DESC) {
      edges {
        node {
          id
          name
          state
          memberCount
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** An empty list names no type, so that the cache would not know that the first segment belongs to it. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

type SegmentPageProps = SegmentListProps & {
  after: string | null;
  onMore: ((end: string) => void) | null;
};

/** One page of segments, with sizes that stay up to date. */
export function SegmentPage({ after, onMore, people, tallies, openId }: SegmentPageProps) {
  const [{ data, error }, retry] = useQuery({ query: SEGMENTS, variables: { after }, context: OF_SEGMENTS });
  const segments = data?.segments.edges.map((edge) => edge.node);
  useUpdates(segments?.map((it) => it.id) ?? []);

  if (error && !segments) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!segments) return <Waiting />;
  if (segments.length === 0) return <p className="empty">There are no segments yet. Define the first one.</p>;
  const { hasNextPage, endCursor } = data!.segments.pageInfo;
  return (
    <>
      <ul className="rows">
        {segments.map((segment) => (
          <SegmentRow
            key={segment.id}
            segment={segment}
            people={people}
            tally={tallies.get(segment.id)}
            isOpen={segment.id === openId}
          />
        ))}
      </ul>
      {onMore && hasNextPage && endCursor && (
        <button type="button" onClick={() => onMore(endCursor)}>
          More segments
        </button>
      )}
    </>
  );
}

function Waiting() {
  return (
    <ul className="rows" aria-busy="true" aria-label="Loading segments">
      {[70, 50, 60, 40].map((width) => (
        <li key={width} className="bone" style={{ width: `${width}%` }} />
      ))}
    </ul>
  );
}
