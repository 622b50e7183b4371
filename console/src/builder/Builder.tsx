import { useState, type ReactNode } from "react";
import { useQuery } from "urql";

import { graphql, withFragments } from "../api/graphql";
import type { EditedSegmentFragment } from "../gql/graphql";
import { useChoices, useVisit } from "../paths";
import { EDITED } from "../segments/saving";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { blank, draftOf } from "./draft";
import { SegmentForm } from "./SegmentForm";
import type { Fields } from "./values";
import { useAskedVocabulary, VocabularyProvider, type Vocabulary } from "./vocabulary";
import "./builder-page.css";

const EDITED_SEGMENT = withFragments(
  graphql(`
  query EditedSegment($id: ID!) {
    segment(by: { id: $id }) {
      ...EditedSegment
    }
  }
`),
  EDITED,
);
const LONGEST_NAME = 200;

/** A new segment: blank, or a copy of the one whose id is in the address. */
export function Builder() {
  const visit = useVisit();
  const from = useChoices().get("from");
  return (
    <WithVocabulary>
      {(vocabulary) =>
        from === null ? (
          <SegmentForm
            key={visit}
            vocabulary={vocabulary}
            start={() => ({ name: "", description: "", bracket: blank() })}
            segment={null}
          />
        ) : (
          <WithSegment key={visit} id={from}>
            {(segment) => <SegmentForm vocabulary={vocabulary} start={() => copyOf(segment)} segment={null} />}
          </WithSegment>
        )
      }
    </WithVocabulary>
  );
}

/** The form for a segment that exists, as it is when the page opens. */
export function EditSegment({ id }: { id: string }) {
  const visit = useVisit();
  return (
    <WithVocabulary>
      {(vocabulary) => (
        <WithSegment key={`${id} ${visit}`} id={id}>
          {(segment) => <Editing read={segment} vocabulary={vocabulary} />}
        </WithSegment>
      )}
    </WithVocabulary>
  );
}

/** Keeps the segment as it was read first, because an answer that arrives later must not replace what the visitor types. */
function Editing({ read, vocabulary }: { read: EditedSegmentFragment; vocabulary: Vocabulary }) {
  const [segment, setSegment] = useState(read);
  return (
    <SegmentForm
      key={segment.revision}
      vocabulary={vocabulary}
      start={() => editOf(segment)}
      segment={segment}
      onTake={setSegment}
    />
  );
}

function editOf({ name, description, condition }: EditedSegmentFragment) {
  return { name, description: description ?? "", bracket: draftOf(condition as Fields) };
}

function copyOf(segment: EditedSegmentFragment) {
  return { ...editOf(segment), name: `Copy of ${segment.name}`.slice(0, LONGEST_NAME) };
}

function WithVocabulary({ children }: { children: (vocabulary: Vocabulary) => ReactNode }) {
  const { vocabulary, error, retry } = useAskedVocabulary();
  if (error && !vocabulary) return <Trouble error={error} onRetry={retry} />;
  if (!vocabulary) return <Waiting for="the kinds of condition" />;
  return <VocabularyProvider value={vocabulary}>{children(vocabulary)}</VocabularyProvider>;
}

type WithSegmentProps = { id: string; children: (segment: EditedSegmentFragment) => ReactNode };

function WithSegment({ id, children }: WithSegmentProps) {
  const [{ data, error }, ask] = useQuery({ query: EDITED_SEGMENT, variables: { id }, requestPolicy: "network-only" });
  useShown(EDITED_SEGMENT, { id });
  if (error && !data) return <Trouble error={error} onRetry={() => ask({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the segment" />;
  if (!data.segment) return <p className="empty">This segment does not exist, or no longer exists.</p>;
  return children(data.segment);
}
