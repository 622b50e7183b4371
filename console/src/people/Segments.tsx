import { useId } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Growing, type OnMore } from "../lists/Growing";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { shownTime } from "../words";
import { KeptPage, Since } from "./KeptPage";
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

/** The segments that the person is in. */
export function Segments(props: SegmentsProps) {
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>In these segments</h3>
      <Growing>{(after, onMore) => <SegmentsPage {...props} after={after} onMore={onMore} />}</Growing>
    </section>
  );
}

/** An empty list names no type, so that the cache would not know that the first segment belongs to it. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

function SegmentsPage({ id, changes, after, onMore }: SegmentsProps & { after: string | null; onMore: OnMore }) {
  const [{ data, error }, retry] = useQuery({
    query: PERSON_SEGMENTS,
    variables: { id, after },
    requestPolicy: "cache-and-network",
    context: OF_SEGMENTS,
  });
  useShown(PERSON_SEGMENTS, { id, after });
  useRefetch(retry, changes);
  const asked = { page: data?.subscriber?.segments, error, retry, onMore };
  return (
    <KeptPage of="segments" none="They are in no segment at present." {...asked}>
      {({ node, enteredAt }, isGone) => (
        <WhyRow key={node.id} personId={id} segment={node} isIn={!isGone} version={changes}>
          <Since instant={enteredAt} shown={shownTime(enteredAt)} isGone={isGone} />
        </WhyRow>
      )}
    </KeptPage>
  );
}
