/** Previews a condition while somebody edits it. */

import type { CombinedError } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import type { ConditionInput, PreviewQuery } from "../gql/graphql";
import { useWhileTyping } from "./useWhileTyping";

const PREVIEW = graphql(`
  query Preview($condition: ConditionInput!, $comparedTo: ID) {
    previewSegment(condition: $condition, sample: 6, comparedTo: $comparedTo) {
      __typename
      ... on SegmentPreview {
        memberCount
        margin
        wouldEnter
        wouldLeave
        summary
        warnings
        sample {
          id
          email
          externalId
        }
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
    }
  }
`);

export type Answer = PreviewQuery["previewSegment"];
export type Preview = {
  /** The answer for the present condition, or for an earlier one while `isStale`. */
  answer: Answer | null;
  error: CombinedError | null;
  isStale: boolean;
};
export type Issue = { message: string; path: readonly string[] };

/** `comparedTo` is the id of a segment: the preview also says who would enter and leave it. */
export function usePreview(condition: ConditionInput | null, comparedTo: string | null = null): Preview {
  const variables = condition && { condition, comparedTo };
  useShown(PREVIEW, variables);
  const { data, error, isStale } = useWhileTyping(PREVIEW, variables);
  return { answer: data?.previewSegment ?? null, error, isStale };
}

/** The problems of a condition, with their paths within it. */
export function issuesOf(answer: { __typename?: string } | null): Issue[] {
  const refused = answer as { issues?: Issue[]; message?: string; path?: string[] } | null;
  const found = refused?.issues ?? (refused?.message ? [{ message: refused.message, path: refused.path ?? [] }] : []);
  return found.map(({ message, path }) => ({ message, path: path.slice(path.indexOf("condition") + 1) }));
}

/** The issues of one part, with their paths relative to it. */
export function within(issues: readonly Issue[], start: readonly string[]): Issue[] {
  return issues
    .filter((it) => start.every((step, index) => it.path[index] === step))
    .map((it) => ({ ...it, path: it.path.slice(start.length) }));
}
