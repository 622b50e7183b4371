import { useState } from "react";

import { ChartFrame, EDGE, HEIGHT, Marks, PointedAt } from "./ChartFrame";
import { roundValues, scaleOf, someOf, type Scale } from "./scale";
import { useWidth } from "./useWidth";

export type FlowColumn = {
  /** Milliseconds since 1970. */
  from: number;
  /** How many came in and went out, by the name of the series. A series without a number is 0. */
  entered: Readonly<Record<string, number>>;
  left: Readonly<Record<string, number>>;
};

type FlowChartProps = {
  /** The chart in a sentence, for those who do not see it. */
  label: string;
  columns: readonly FlowColumn[];
  /** The series that are drawn, the first next to the axis. Their names are also classes, which have colours. */
  series: readonly string[];
  shownInstant: (at: number, isLong: boolean) => string;
};

const TICK_PIXELS = 80;
const MARKS = 4;

/** What comes in as bars above a line, and what goes out below it. A table beside it must have the same values. */
export function FlowChart({ label, columns, series, shownInstant }: FlowChartProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [pointed, setPointed] = useState<number | null>(null);
  const highest = Math.max(0, ...columns.map((it) => sumOf(it.entered, series)));
  const lowest = Math.max(0, ...columns.map((it) => sumOf(it.left, series)));
  const marks = roundValues(-lowest, highest, MARKS);
  const y = scaleOf([marks[0]!, marks.at(-1)!], [HEIGHT - EDGE.bottom, EDGE.top]);
  const breadth = Math.max(0, width - EDGE.left - EDGE.right) / Math.max(1, columns.length);
  const x = (index: number) => EDGE.left + index * breadth;
  const labelled = someOf(columns, Math.floor((width - EDGE.left - EDGE.right) / TICK_PIXELS));

  function point(place: number | null) {
    const index = place === null ? -1 : Math.floor((place - EDGE.left) / breadth);
    setPointed(index in columns ? index : null);
  }

  const caption = pointed === null ? "Above the line: entered. Below it: left." : wordsOf(columns[pointed]!, series, shownInstant);
  return (
    <ChartFrame label={label} box={box} width={width} onPoint={point} caption={<PointedAt>{caption}</PointedAt>}>
      <Marks marks={marks} y={y} left={EDGE.left} right={width - EDGE.right} />
      {columns.map((column, index) => (
        <Column key={column.from} column={column} series={series} x={x(index)} breadth={breadth} y={y} />
      ))}
      <line className="axis" x1={EDGE.left} x2={width - EDGE.right} y1={y(0)} y2={y(0)} />
      {labelled.map((column) => (
        <text key={column.from} x={x(columns.indexOf(column)) + breadth / 2} y={HEIGHT - 8} textAnchor="middle">
          {shownInstant(column.from, false)}
        </text>
      ))}
    </ChartFrame>
  );
}

type ColumnProps = { column: FlowColumn; series: readonly string[]; x: number; breadth: number; y: Scale };

/** The bars of one interval, stacked away from the line. */
function Column({ column, series, x, breadth, y }: ColumnProps) {
  const gap = Math.min(3, breadth / 4);
  return series.map((name, index) => {
    const before = series.slice(0, index);
    const [above, below] = [sumOf(column.entered, before), sumOf(column.left, before)];
    const [come, gone] = [column.entered[name] ?? 0, column.left[name] ?? 0];
    const place = { className: `flow-bar ${name}`, x: x + gap / 2, width: Math.max(1, breadth - gap) };
    return (
      <g key={name}>
        {come > 0 && <rect {...place} y={y(above + come)} height={y(above) - y(above + come)} />}
        {gone > 0 && <rect {...place} y={y(-below)} height={y(-below - gone) - y(-below)} />}
      </g>
    );
  });
}

export function sumOf(numbers: Readonly<Record<string, number>>, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (numbers[name] ?? 0), 0);
}

function wordsOf({ from, entered, left }: FlowColumn, series: readonly string[], shownInstant: FlowChartProps["shownInstant"]) {
  const [come, gone] = [sumOf(entered, series), sumOf(left, series)];
  return `From ${shownInstant(from, true)}: ${come.toLocaleString()} entered, ${gone.toLocaleString()} left`;
}
