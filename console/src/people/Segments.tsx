import { useId, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { PersonSegmentsQuery } from "../gql/graphql";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";
import { useKept } from "./useKept";
import type { PersonChange } from "./usePersonChanges";
import { WhyRow } from "./WhyRow";

const PERSON_SEGMENTS = graphql(`
  query PersonSegments($id: ID!, $after: String) {
    subscriber(by: { id: $id }) {
      id
      segments(first: 50, after: $after) {
        edges {
          enteredAt
          node {
            id
            name
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

type SegmentsProps = { id: string; changes: readonly PersonChange[] };

/** The segments that the person is in. One that they leave meanwhile stays in its place until the page is opened again. */
export function Segments(props: SegmentsProps) {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>In these segments</h3>
      {starts.map((after, index) => (
        <SegmentsPage
          key={after}
          {...props}
          after={after}
          onMore={index === starts.length - 1 ? (end) => setStarts([...starts, end]) : null}
        />
      ))}
    </section>
  );
}

type Edge = NonNullable<PersonSegmentsQuery["subscriber"]>["segments"]["edges"][number];
type PageProps = SegmentsProps & { after: string | null; onMore: ((end: string) => void) | null };

const NONE: readonly Edge[] = [];
/** An empty list names no type, so that the cache would not know that the first segment belongs to it. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

function SegmentsPage({ id, changes, after, onMore }: PageProps) {
  const [{ data, error }, retry] = useQuery({
    query: PERSON_SEGMENTS,
    variables: { id, after },
    requestPolicy: "cache-and-network",
    context: OF_SEGMENTS,
  });
  useShown(PERSON_SEGMENTS, { id, after });
  useRefetch(retry, changes);
  const page = data?.subscriber?.segments;
  const kept = useKept(page?.edges ?? NONE, (it) => it.node.id);

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page)
    return (
      <p className="empty" aria-busy="true">
        Loading segments…
      </p>
    );
  if (kept.length === 0) return <p className="empty">They are in no segment at present.</p>;
  const { hasNextPage, endCursor } = page.pageInfo;
  return (
    <>
      <ul className="entries">
        {kept.map(({ entry: { node, enteredAt }, isGone }) => (
          <WhyRow key={node.id} personId={id} segment={node} isIn={!isGone} version={changes}>
            {isGone ? (
              <em className="gone">left meanwhile</em>
            ) : (
              <>
                since <time dateTime={enteredAt}>{shownTime(enteredAt)}</time>
              </>
            )}
          </WhyRow>
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
