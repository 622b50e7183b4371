/** Who entered and left a segment in each interval of a period, in one operation. */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";

import type { FlowPartFragment, FlowWholeFragment } from "../gql/graphql";
import { FLOW_OF_DAY, FLOW_OF_MONTH, FLOW_OF_WEEK } from "./flowDocuments";

export type Flows = {
  segment: ({ id: string; flow: FlowWholeFragment } & { readonly [part: `part${number}`]: FlowPartFragment }) | null;
};
export type Instants = { id: string; readonly [instant: `t${number}`]: string };

export const FLOW_PERIODS = {
  day: { label: "24 hours", words: "the last 24 hours", count: 12, hours: 2 },
  week: { label: "7 days", words: "the last 7 days", count: 7, hours: 24 },
  month: { label: "30 days", words: "the last 30 days", count: 30, hours: 24 },
} as const;
export type FlowPeriod = keyof typeof FLOW_PERIODS;

export const DOCUMENTS = { day: FLOW_OF_DAY, week: FLOW_OF_WEEK, month: FLOW_OF_MONTH } as unknown as Record<
  FlowPeriod,
  TypedDocumentNode<Flows, Instants>
>;

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
