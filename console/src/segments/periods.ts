/** How far the picture of a segment's sizes looks back and ahead, and how it writes instants. */

const HOUR = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const PERIODS = {
  week: { label: "Week", days: 7, every: "HOUR" },
  month: { label: "Month", days: 30, every: "DAY" },
  quarter: { label: "Quarter", days: 91, every: "DAY" },
  year: { label: "Year", days: 365, every: "WEEK" },
} as const;

export type Period = keyof typeof PERIODS;

export function shownInstantOf(period: Period): (at: number, isLong: boolean) => string {
  const short = period === "week" ? HOUR : DAY;
  return (at, isLong) => (isLong ? LONG : short).format(at);
}
