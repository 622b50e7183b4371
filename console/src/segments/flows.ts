/** Who entered and left a segment in each interval of a period, in one operation. */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";

import { graphql, withFragments } from "../api/graphql";
import type { FlowPartFragment, FlowWholeFragment } from "../gql/graphql";

const PART = graphql(`
  fragment FlowPart on SegmentFlow {
    from
    causes {
      cause
      entered
      left
    }
  }
`);
const WHOLE = graphql(`
  fragment FlowWhole on SegmentFlow {
    came
    cameBack
    left
    medianStaySeconds
    causes {
      cause
      entered
      left
    }
  }
`);

export type Flows = {
  segment: ({ id: string; whole: FlowWholeFragment } & { readonly [part: `part${number}`]: FlowPartFragment }) | null;
};
export type Instants = { id: string; readonly [instant: `t${number}`]: string };

/** One flow for each interval and one for all of them. The API has one flow for a field, so each gets its own name. */
function documentOf(count: number): TypedDocumentNode<Flows, Instants> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const text = `
  query Flow($id: ID!, ${[...numbers, count].map((it) => `$t${it}: DateTime!`).join(", ")}) {
    segment(by: { id: $id }) {
      id
      whole: flow(from: $t0) {
        ...FlowWhole
      }
${numbers.map((it) => `      part${it}: flow(from: $t${it}, to: $t${it + 1}) {\n        ...FlowPart\n      }`).join("\n")}
    }
  }
`;
  return withFragments(text as unknown as TypedDocumentNode<Flows, Instants>, PART, WHOLE);
}

export const FLOW_PERIODS = {
  day: { label: "24 hours", words: "the last 24 hours", count: 12, hours: 2 },
  week: { label: "7 days", words: "the last 7 days", count: 7, hours: 24 },
  month: { label: "30 days", words: "the last 30 days", count: 30, hours: 24 },
} as const;
export type FlowPeriod = keyof typeof FLOW_PERIODS;

export const DOCUMENTS: Record<FlowPeriod, TypedDocumentNode<Flows, Instants>> = {
  day: documentOf(FLOW_PERIODS.day.count),
  week: documentOf(FLOW_PERIODS.week.count),
  month: documentOf(FLOW_PERIODS.month.count),
};

/** The bounds of the intervals. Days begin at midnight where the visitor is, and the present interval is the last one. */
export function instantsOf(id: string, period: FlowPeriod): Instants {
  const { count, hours } = FLOW_PERIODS[period];
  const bounds = Array.from({ length: count + 1 }, (_, index) => {
    const at = new Date();
    if (hours === 24) at.setHours(24 * (index - count + 1), 0, 0, 0);
    else at.setHours(at.getHours() + 1 + hours * (index - count), 0, 0, 0);
    return [`t${index}`, at.toISOString()] as const;
  });
  return { id, ...Object.fromEntries(bounds) };
}
