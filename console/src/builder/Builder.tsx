import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { go, toSegment } from "../paths";
import { Trouble } from "../Trouble";
import { conditionOf, newGroup, newLeaf, type Group } from "./draft";
import { GroupEditor } from "./GroupEditor";
import { PreviewPane } from "./PreviewPane";
import { issuesOf, usePreview } from "./usePreview";
import { useAskedVocabulary, VocabularyProvider, type Vocabulary } from "./vocabulary";

const CREATE_SEGMENT = graphql(`
  mutation CreateSegment($input: CreateSegmentInput!) {
    createSegment(input: $input) {
      __typename
      ... on Segment {
        id
      }
      ... on UserError {
        message
      }
    }
  }
`);

/** A new segment: its condition, a preview, and its name. */
export function Builder() {
  const { vocabulary, error, retry } = useAskedVocabulary();
  if (error && !vocabulary) return <Trouble error={error} onRetry={retry} />;
  if (!vocabulary)
    return (
      <p className="empty" aria-busy="true">
        Loading the kinds of condition…
      </p>
    );
  return (
    <VocabularyProvider value={vocabulary}>
      <Form vocabulary={vocabulary} />
    </VocabularyProvider>
  );
}

function Form({ vocabulary }: { vocabulary: Vocabulary }) {
  const [group, setGroup] = useState<Group>(() => newGroup("all", [newLeaf()]));
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, create] = useMutation(CREATE_SEGMENT);
  const field = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const ids = useId();
  const condition = conditionOf(group, vocabulary);
  const preview = usePreview(condition);

  useEffect(() => heading.current?.focus(), []);

  async function save(event: FormEvent) {
    event.preventDefault();
    if (!name.trim()) {
      setProblem("Give it a name first.");
      return field.current?.focus();
    }
    if (!condition) return setProblem("The condition is not complete.");
    const { data, error } = await create({ input: { name: name.trim(), condition } });
    const made = data?.createSegment;
    if (made?.__typename === "Segment") go(toSegment(made.id));
    else setProblem(made?.message ?? error?.graphQLErrors[0]?.message ?? "The API does not answer.");
  }

  return (
    <form className="builder" onSubmit={(event) => void save(event)}>
      <h2 ref={heading} tabIndex={-1}>
        New segment
      </h2>
      <div className="tree">
        <GroupEditor group={group} onChange={setGroup} issues={preview.isStale ? [] : issuesOf(preview.answer)} />
      </div>
      <PreviewPane preview={preview} isSaid={condition !== null} />
      <div className="save">
        <label htmlFor={ids}>Name</label>
        <input
          id={ids}
          ref={field}
          type="text"
          maxLength={200}
          placeholder="Back again"
          value={name}
          aria-describedby={`${ids}-problem`}
          onChange={(event) => {
            setName(event.target.value);
            setProblem(null);
          }}
        />
        <button type="submit" className="primary" disabled={fetching}>
          {fetching ? "Saving…" : "Save segment"}
        </button>
        <p id={`${ids}-problem`} className="problem" role="alert">
          {problem}
        </p>
      </div>
    </form>
  );
}
