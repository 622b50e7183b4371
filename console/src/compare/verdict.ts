/** Says in words what a comparison found, and how far to trust it. */

import type { CompareQuery } from "../gql/graphql";

type Comparison = CompareQuery["compareSegments"];
type Interval = { low: number; high: number };

const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 2 });
const POINTS = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2, signDisplay: "negative" });

export const percent = (share: number) => PERCENT.format(share);
/** A difference of shares: 0.02 is "2 percentage points". */
export const points = (difference: number) => `${hundredths(difference)} percentage points`;
export const spanned = ({ low, high }: Interval) => `${hundredths(low)} to ${hundredths(high)}`;

/** The anytime interval decides, because a page is opened whenever somebody likes. */
export function verdictOf({ a, b, rateDifference: found }: Comparison, names: readonly [string, string], event: string): string {
  if (!found || a.rate == null || b.rate == null) return missing(a.people, b.people, names);
  const rates = `${percent(a.rate)} of the people of “${names[0]}” and ${percent(b.rate)} of those of “${names[1]}” had ${event}.`;
  const { difference, interval, anytimeInterval: anytime } = found;
  const compared = difference === 0 ? "The rates are equal" : `That is ${points(Math.abs(difference))} ${difference > 0 ? "more" : "less"} for “${names[1]}”`;
  return `${rates} ${compared}. ${trust(interval, anytime)}`;
}

function trust(interval: Interval, anytime: Interval): string {
  const found = `The 95 % interval, ${spanned(anytime)},`;
  if (excludesZero(anytime))
    return `${found} excludes 0, and stays right however often you look: chance alone does not explain the difference.`;
  if (excludesZero(interval))
    return `${found} includes 0: the difference may be chance. Only if you decided beforehand to look once, today, the narrower interval counts, ${spanned(interval)}, which excludes 0.`;
  return `${found} includes 0: the difference may be chance.`;
}

function missing(peopleOfA: number, peopleOfB: number, names: readonly [string, string]): string {
  const empty = [peopleOfA === 0 ? `“${names[0]}”` : "", peopleOfB === 0 ? `“${names[1]}”` : ""].filter(Boolean);
  return `Nobody is left on the side of ${empty.join(" or of ")} in this period, so the two cannot be compared. People who were in both segments count on neither side.`;
}

function excludesZero({ low, high }: Interval): boolean {
  return low > 0 || high < 0;
}

function hundredths(share: number): string {
  return POINTS.format(share * 100).replace("-", "−");
}
