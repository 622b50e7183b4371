/** Formats values for people. */

import type { MembershipCause, RunState } from "./gql/graphql";

const TODAY = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const LATER = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The time of day, with the date unless it is today. */
export function shownTime(instant: string): string {
  const date = new Date(instant);
  return (date.toDateString() === new Date().toDateString() ? TODAY : LATER).format(date);
}

export const CAUSES: Record<MembershipCause, string> = {
  SUBSCRIBER: "the profile changed",
  EVENT: "an event",
  GROUP: "a group changed",
  SEGMENT: "another segment changed",
  CLOCK: "time passed",
  DEFINITION: "the condition changed",
  REPAIR: "a repair",
  MANUAL: "by hand",
};

export const RUN_STATES: Record<RunState, string> = {
  WAITING: "waiting",
  DONE: "done",
  CANCELLED: "cancelled",
  SKIPPED: "skipped",
  FAILED: "failed",
  CUT_OFF: "cut off",
};

/** "notFollowedBy" becomes "not followed by", as in the API's own labels of operators. */
export function spelled(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

export function counted(number: number, one: string, many: string): string {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A length of time in its largest unit: "3 days". */
export function lengthOf(seconds: number): string {
  const [unit, size] = UNITS.find((it) => seconds >= it[1]) ?? UNITS.at(-1)!;
  return counted(Math.round(seconds / size), unit, `${unit}s`);
}
