/** What is compared, as it is written in the address of the page. */

import { useMemo } from "react";

import { choose, useChoices } from "../paths";

export const MOST_SEGMENTS = 8;
/** The letters by which the picture, its words and its legend name the segments. */
export const LETTERS = "ABCDEFGH";
const DEFAULT_DAYS = 28;

export type Choice = {
  /** In the order in which they were chosen. Of two segments, the first one is A. */
  segmentIds: readonly string[];
  /** Null for the event that happened last. */
  event: string | null;
  /** Days where the visitor is, as YYYY-MM-DD; null for the default. */
  from: string | null;
  until: string | null;
  withinDays: number | null;
};

/** The choice, and a function that writes another one into the address. */
export function useChoice(): [Choice, (next: Choice) => void] {
  const written = useChoices();
  const choice = useMemo(() => choiceOf(written), [written]);
  return [choice, (next) => choose(parametersOf(next))];
}

/** Two segments get a beginning that stays the same in a shared link, also if it is opened another day. */
export function withSegments(choice: Choice, segmentIds: readonly string[]): Choice {
  const from = choice.from ?? (segmentIds.length === 2 ? dayBefore(DEFAULT_DAYS) : null);
  return { ...choice, segmentIds, from };
}

export function dayBefore(days: number): string {
  const day = new Date();
  day.setDate(day.getDate() - days);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((it) => String(it).padStart(2, "0")).join("-");
}

export const defaultFrom = () => dayBefore(DEFAULT_DAYS);

/** The instant at which this day begins where the visitor is; null if it is no day. */
export function instantOf(day: string): string | null {
  const at = new Date(`${day}T00:00`);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

function choiceOf(written: URLSearchParams): Choice {
  const ids = (written.get("segments") ?? "").split(",").filter((it) => it !== "");
  const days = Number(written.get("within") ?? "");
  return {
    segmentIds: [...new Set(ids)].slice(0, MOST_SEGMENTS),
    event: written.get("event"),
    from: written.get("from"),
    until: written.get("until"),
    withinDays: Number.isInteger(days) && days >= 1 && days <= 365 ? days : null,
  };
}

function parametersOf({ segmentIds, event, from, until, withinDays }: Choice): URLSearchParams {
  const given = { segments: segmentIds.join(","), event, from, until, within: withinDays?.toString() };
  return new URLSearchParams(Object.entries(given).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
