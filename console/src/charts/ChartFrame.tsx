import type { PointerEvent, ReactNode, RefObject } from "react";

import type { Scale } from "./scale";

/** The room around a chart with axes, in pixels. */
export const EDGE = { top: 12, right: 12, bottom: 26, left: 52 };
export const HEIGHT = 220;

type ChartFrameProps = {
  /** The chart in a sentence, for those who do not see it. */
  label: string;
  /** From useWidth. */
  box: RefObject<HTMLDivElement | null>;
  width: number;
  height?: number;
  className?: string;
  /** Called with the place of the pointer from the left, and with null when the pointer leaves. */
  onPoint?: (place: number | null) => void;
  /** What stands below the picture. */
  caption: ReactNode;
  children: ReactNode;
};

/** A picture that is as wide as its box, drawn once the width is known. */
export function ChartFrame({ label, box, width, height = HEIGHT, className = "", onPoint, caption, children }: ChartFrameProps) {
  const placeOf = (event: PointerEvent<SVGSVGElement>) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  return (
    <div className={`chart ${className}`} ref={box}>
      {width > 0 && (
        <svg
          role="img"
          aria-label={label}
          width={width}
          height={height}
          viewBox={`0 0 ${width} ${height}`}
          onPointerMove={(event) => onPoint?.(placeOf(event))}
          onPointerLeave={() => onPoint?.(null)}
        >
          {children}
        </svg>
      )}
      {caption}
    </div>
  );
}

/** What the pointer is on, in words. The table beside the chart has it for everybody else. */
export function PointedAt({ children }: { children: ReactNode }) {
  return (
    <p className="quiet pointed-at" aria-hidden="true">
      {children}
    </p>
  );
}

type MarksProps = { marks: readonly number[]; y: Scale; left: number; right: number };

/** The vertical axis: a line from left to right for each mark. Amounts below zero are shown without a sign. */
export function Marks({ marks, y, left, right }: MarksProps) {
  return marks.map((mark) => (
    <g key={mark} className="mark-line" aria-hidden="true">
      <line x1={left} x2={right} y1={y(mark)} y2={y(mark)} />
      <text x={left - 8} y={y(mark)} dy="0.32em" textAnchor="end">
        {Math.abs(mark).toLocaleString()}
      </text>
    </g>
  ));
}
