import { useState } from "react";

import { ChartFrame, EDGE, HEIGHT, Marks, PointedAt } from "./ChartFrame";
import { roundValues, scaleOf, someOf, type Scale } from "./scale";
import { useWidth } from "./useWidth";

export type Point = {
  /** Milliseconds since 1970. */
  at: number;
  value: number;
  /** How far the true value may be away; 0 when the value is exact. */
  margin: number;
};

type LineChartProps = {
  /** The chart in a sentence, for those who do not see it. */
  label: string;
  /** What happened, the oldest first, drawn as a line. */
  past: readonly Point[];
  /** What is expected, drawn as a dotted line that continues the last point of the past. */
  future: readonly Point[];
  /** An instant in words, short for the axis and long for the point under the pointer. */
  shownInstant: (at: number, isLong: boolean) => string;
};

const TICK_PIXELS = 96;
const MARKS = 4;

/** Values over time, with what is expected dotted on. A table beside it must have the same values: a picture alone is not for everybody. */
export function LineChart({ label, past, future, shownInstant }: LineChartProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [pointed, setPointed] = useState<Point | null>(null);
  const expected = past.length > 0 ? [past.at(-1)!, ...future] : future;
  const points = [...past, ...future];
  const marks = marksOf(points);
  const x = scaleOf([points[0]?.at ?? 0, points.at(-1)?.at ?? 0], [EDGE.left, width - EDGE.right]);
  const y = scaleOf([marks[0]!, marks.at(-1)!], [HEIGHT - EDGE.bottom, EDGE.top]);

  function point(place: number | null) {
    if (place === null) return setPointed(null);
    setPointed(points.toSorted((one, other) => Math.abs(x(one.at) - place) - Math.abs(x(other.at) - place))[0] ?? null);
  }

  const caption = pointed
    ? `${shownInstant(pointed.at, true)}: ${pointed.value.toLocaleString()}${marginOf(pointed)}`
    : "Point at the line to read its values.";
  return (
    <ChartFrame label={label} box={box} width={width} onPoint={point} caption={<PointedAt>{caption}</PointedAt>}>
      <Marks marks={marks} y={y} left={EDGE.left} right={width - EDGE.right} />
      <Instants points={points} x={x} width={width} shownInstant={shownInstant} />
      {expected.some((it) => it.margin > 0) && <path className="margin" d={bandOf(expected, x, y)} />}
      <path className="past" d={lineOf(past, x, y)} />
      <path className="future" d={lineOf(expected, x, y)} />
      {past.length > 0 && <Now at={x(past.at(-1)!.at)} isShown={future.length > 0} />}
      {past.length > 0 && <circle className="present" cx={x(past.at(-1)!.at)} cy={y(past.at(-1)!.value)} r="3" />}
      {pointed && <circle className="pointed" cx={x(pointed.at)} cy={y(pointed.value)} r="4" />}
    </ChartFrame>
  );
}

type InstantsProps = Pick<LineChartProps, "shownInstant"> & { points: readonly Point[]; x: Scale; width: number };

/** The horizontal axis. A label at an edge ends there, so that none is cut off. */
function Instants({ points, x, width, shownInstant }: InstantsProps) {
  const count = Math.floor((width - EDGE.left - EDGE.right) / TICK_PIXELS);
  return someOf(points, count).map(({ at }) => {
    const isFirst = x(at) < EDGE.left + TICK_PIXELS / 3;
    const isLast = x(at) > width - EDGE.right - TICK_PIXELS / 3;
    return (
      <text key={at} x={x(at)} y={HEIGHT - 8} textAnchor={isFirst ? "start" : isLast ? "end" : "middle"}>
        {shownInstant(at, false)}
      </text>
    );
  });
}

/** Where the past ends. */
function Now({ at, isShown }: { at: number; isShown: boolean }) {
  if (!isShown) return null;
  return <line className="now" x1={at} x2={at} y1={EDGE.top} y2={HEIGHT - EDGE.bottom} />;
}

/** Values below zero do not exist here, so no axis begins below it. */
function marksOf(points: readonly Point[]): number[] {
  const low = Math.min(...points.map((it) => Math.max(0, it.value - it.margin)));
  const high = Math.max(...points.map((it) => it.value + it.margin));
  return points.length === 0 ? [0, 1] : roundValues(low, high, MARKS);
}

function lineOf(points: readonly Point[], x: Scale, y: Scale): string {
  return points.map((it, index) => `${index === 0 ? "M" : "L"}${x(it.at).toFixed(1)},${y(it.value).toFixed(1)}`).join("");
}

function bandOf(points: readonly Point[], x: Scale, y: Scale): string {
  const upper = points.map((it) => ({ ...it, value: it.value + it.margin }));
  const lower = points.map((it) => ({ ...it, value: Math.max(0, it.value - it.margin) })).toReversed();
  return `${lineOf([...upper, ...lower], x, y)}Z`;
}

export function marginOf({ margin }: Pick<Point, "margin">): string {
  return margin > 0 ? ` ± ${margin.toLocaleString()}` : "";
}
