/** Saving a segment: a new one, or an edit that overwrites nobody else's. */

import { useMutation } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { problemOf } from "../automations/saving";
import type { CreateSegmentInput, EditedSegmentFragment, UpdateSegmentInput } from "../gql/graphql";

export const EDITED = graphql(`
  fragment EditedSegment on Segment {
    id
    name
    description
    revision
    condition
  }
`);
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
const UPDATE_SEGMENT = withFragments(
  graphql(`
  mutation UpdateSegment($input: UpdateSegmentInput!) {
    updateSegment(input: $input) {
      __typename
      ... on Segment {
        id
      }
      ... on UserError {
        message
      }
      ... on RevisionConflict {
        current {
          ...EditedSegment
        }
      }
    }
  }
`),
  EDITED,
);

export type Saved = {
  /** The id of the segment; null if nothing was saved. */
  id: string | null;
  /** Why nothing was saved. */
  problem: string | null;
  /** Somebody else has edited the segment. It is null if they deleted it, and undefined without such a conflict. */
  current?: EditedSegmentFragment | null;
};

export function useSaving() {
  const [created, create] = useMutation(CREATE_SEGMENT);
  const [updated, update] = useMutation(UPDATE_SEGMENT);

  async function saveNew(input: CreateSegmentInput): Promise<Saved> {
    const { data, error } = await create({ input });
    const answer = data?.createSegment;
    if (answer?.__typename === "Segment") return { id: answer.id, problem: null };
    return { id: null, problem: answer?.message ?? problemOf(error) };
  }

  async function saveEdit(input: UpdateSegmentInput): Promise<Saved> {
    const { data, error } = await update({ input });
    const answer = data?.updateSegment;
    if (answer?.__typename === "Segment") return { id: answer.id, problem: null };
    if (answer?.__typename === "RevisionConflict") return { id: null, problem: null, current: answer.current };
    if (answer?.__typename === "NotFound") return { id: null, problem: null, current: null };
    return { id: null, problem: answer?.message ?? problemOf(error) };
  }

  return { saveNew, saveEdit, isSaving: created.fetching || updated.fetching };
}
