import { ChartFrame } from "./ChartFrame";
import { scaleOf } from "./scale";
import { useWidth } from "./useWidth";

type Interval = { /** Completes "95 % interval …". */ name: string; low: number; high: number };

type DifferenceChartProps = {
  /** The chart in a sentence, for those who do not see it. */
  label: string;
  difference: number;
  inner: Interval;
  outer: Interval;
  shownInterval: (interval: { low: number; high: number }) => string;
};

const HEIGHT = 88;
const EDGE = 16;
const LINE = 34;
const NARROW = 480;

/** A difference as a point with two intervals around it, one of them wider, and where 0 is. */
export function DifferenceChart({ label, difference, inner, outer, shownInterval }: DifferenceChartProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const furthest = Math.max(...[outer.low, outer.high, inner.low, inner.high].map(Math.abs)) || 1;
  const x = scaleOf([-furthest, furthest], [EDGE, width - EDGE]);
  const words = [outer, inner].map((it) => `95 % interval ${it.name}: ${shownInterval(it)}`);
  const legend = (
    <ul className="legend" aria-hidden="true">
      <li className="thin">{words[0]}</li>
      <li className="thick">{words[1]}</li>
    </ul>
  );
  return (
    <ChartFrame className="difference" label={`${label} ${words.join("; ")}.`} box={box} width={width} height={HEIGHT} caption={legend}>
      <line className="axis" x1={EDGE} x2={width - EDGE} y1={LINE} y2={LINE} />
      <line className="zero" x1={x(0)} x2={x(0)} y1={8} y2={LINE + 24} />
      <line className="outer" x1={x(outer.low)} x2={x(outer.high)} y1={LINE} y2={LINE} />
      <line className="inner" x1={x(inner.low)} x2={x(inner.high)} y1={LINE} y2={LINE} />
      <circle className="present" cx={x(difference)} cy={LINE} r="6" />
      <text x={x(0)} y={HEIGHT - 10} textAnchor="middle">
        0
      </text>
      <text x={EDGE} y={HEIGHT - 10}>
        {width < NARROW ? "A more" : "A has the higher rate"}
      </text>
      <text x={width - EDGE} y={HEIGHT - 10} textAnchor="end">
        {width < NARROW ? "B more" : "B has the higher rate"}
      </text>
    </ChartFrame>
  );
}
