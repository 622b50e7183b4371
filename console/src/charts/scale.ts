/** Places values on a chart, and chooses round values for its axes. */

export type Scale = (value: number) => number;

/** A linear scale from two values to two places. */
export function scaleOf([low, high]: [number, number], [start, end]: [number, number]): Scale {
  const width = high - low || 1;
  return (value) => start + ((value - low) / width) * (end - start);
}

const STEPS = [1, 2, 2.5, 5, 10];

/** Round whole values that cover both bounds, about `count` of them. */
export function roundValues(low: number, high: number, count: number): number[] {
  const least = Math.max((high - low) / count, 1);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = Math.max(1, Math.ceil(power * (STEPS.find((it) => power * it >= least) ?? 10)));
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** At most `count` of these, at equal distances, the last one among them. */
export function someOf<Item>(items: readonly Item[], count: number): Item[] {
  const every = Math.max(1, Math.ceil(items.length / Math.max(1, count)));
  return items.filter((_, index) => (items.length - 1 - index) % every === 0);
}
