/** Previews a condition while somebody edits it. */

import { useEffect, useState } from "react";
import { useClient, type CombinedError } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import type { ConditionInput, PreviewQuery } from "../gql/graphql";

const PREVIEW = graphql(`
  query Preview($condition: ConditionInput!) {
    previewSegment(condition: $condition, sample: 6) {
      __typename
      ... on SegmentPreview {
        memberCount
        margin
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

const PAUSE_MILLISECONDS = 250;

export type Answer = PreviewQuery["previewSegment"];
export type Preview = {
  /** The answer for the present condition, or for an earlier one while `isStale`. */
  answer: Answer | null;
  error: CombinedError | null;
  isStale: boolean;
};
export type Issue = { message: string; path: readonly string[] };

/** Sends the query when the visitor stops typing. It cancels outdated requests and drops their answers. */
export function usePreview(condition: ConditionInput | null): Preview {
  const client = useClient();
  const [preview, setPreview] = useState<Preview>({ answer: null, error: null, isStale: true });
  const wanted = JSON.stringify(condition);
  useShown(PREVIEW, condition && { condition });

  useEffect(() => {
    setPreview((shown) => ({ ...shown, isStale: true }));
    const asked = JSON.parse(wanted) as ConditionInput | null;
    if (asked === null) return;
    let stop = () => {};
    const timer = setTimeout(() => {
      const answers = client.query(PREVIEW, { condition: asked }, { requestPolicy: "network-only" });
      stop = answers.subscribe(({ data, error }) =>
        setPreview({ answer: data?.previewSegment ?? null, error: error ?? null, isStale: false }),
      ).unsubscribe;
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, wanted]);

  return preview;
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
