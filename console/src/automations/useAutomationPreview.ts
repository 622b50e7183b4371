/** Previews an automation while somebody edits it, and counts how many people entered and left its list lately. */

import { useEffect, useState } from "react";
import { useClient, useQuery, type CombinedError } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { useShown } from "../shown";
import type { CreateAutomationInput, PreviewAutomationQuery } from "../gql/graphql";
import { WAY_STEP } from "./LoopWay";

const PREVIEW_AUTOMATION = withFragments(
  graphql(`
  query PreviewAutomation($automation: CreateAutomationInput!) {
    previewAutomation(automation: $automation, sample: 4) {
      __typename
      ... on AutomationPreview {
        summary
        existing
        margin
        sample {
          id
          email
          externalId
        }
        way {
          ...WayStep
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
`),
  WAY_STEP,
);
const LATELY = graphql(`
  query Lately($id: ID!, $from: DateTime!, $to: DateTime!) {
    segment(by: { id: $id }) {
      id
      sizeHistory(from: $from, to: $to) {
        at
        entered
        left
      }
    }
  }
`);

const PAUSE_MILLISECONDS = 250;
const DAY_MILLISECONDS = 86_400_000;
export const DAYS = 7;

export type Preview = {
  /** The answer for the present automation, or for an earlier one while `isStale`. */
  answer: PreviewAutomationQuery["previewAutomation"] | null;
  error: CombinedError | null;
  isStale: boolean;
};

/** Asks when the visitor stops typing, unless the input is null. It cancels outdated requests and drops their answers. */
export function useAutomationPreview(input: CreateAutomationInput | null): Preview {
  const client = useClient();
  const [preview, setPreview] = useState<Preview>({ answer: null, error: null, isStale: true });
  const wanted = JSON.stringify(input);
  useShown(PREVIEW_AUTOMATION, input && { automation: input });

  useEffect(() => {
    setPreview((shown) => ({ ...shown, isStale: true }));
    const automation = JSON.parse(wanted) as CreateAutomationInput | null;
    if (automation === null) return setPreview({ answer: null, error: null, isStale: true });
    let stop = () => {};
    const timer = setTimeout(() => {
      const answers = client.query(PREVIEW_AUTOMATION, { automation }, { requestPolicy: "network-only" });
      stop = answers.subscribe(({ data, error }) =>
        setPreview({ answer: data?.previewAutomation ?? null, error: error ?? null, isStale: false }),
      ).unsubscribe;
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, wanted]);

  return preview;
}

type Days = { entered: number; left: number };

/** How many people entered and left a segment in the last seven whole days (UTC), together. Null for a group, and until it is known. */
export function useLately(list: string): Days | null {
  const [kind, id = ""] = list.split(":");
  const [today] = useState(() => Math.floor(Date.now() / DAY_MILLISECONDS) * DAY_MILLISECONDS);
  const [{ data }] = useQuery({
    query: LATELY,
    variables: { id, from: isoOf(today - DAYS * DAY_MILLISECONDS), to: isoOf(today) },
    pause: kind !== "segment",
  });
  if (kind !== "segment" || !data?.segment || data.segment.id !== id) return null;
  return data.segment.sizeHistory.reduce(
    (sum, it) => ({ entered: sum.entered + it.entered, left: sum.left + it.left }),
    { entered: 0, left: 0 },
  );
}

function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
