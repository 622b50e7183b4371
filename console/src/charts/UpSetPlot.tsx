import { useState, type KeyboardEvent } from "react";

import { Marks } from "./ChartFrame";
import { roundValues, scaleOf } from "./scale";
import { useWidth } from "./useWidth";

export type PlotSet = { /** How a narrow picture names the set. */ letter: string; name: string; people: number };
export type Intersection = { people: number; /** For each set, whether these people are in it. */ isIn: readonly boolean[] };

type UpSetPlotProps = {
  sets: readonly PlotSet[];
  /** The largest first. */
  intersections: readonly Intersection[];
  /** Whether newer numbers are on their way. */
  isStale: boolean;
};

const BARS = 160;
const TOP = 22;
const ROW = 30;
const GAP = 16;
const MARKS = 3;
const NARROW = 560;
const COLUMN = { least: 34, most: 72 };
/** More columns than these nobody reads; the table has all. */
const MOST_COLUMNS = 40;

/** How many people are in exactly which sets: a column for each combination, with a bar for its people and dots for its sets. */
export function UpSetPlot({ sets, intersections, isStale }: UpSetPlotProps) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [pointed, setPointed] = useState(0);
  const shown = intersections.slice(0, MOST_COLUMNS);
  const place = placesOf(width, shown.length);
  const marks = roundValues(0, shown[0]!.people, MARKS);
  const y = scaleOf([0, marks.at(-1)!], [TOP + BARS, TOP]);
  const height = TOP + BARS + GAP + sets.length * ROW;

  function move(event: KeyboardEvent<SVGSVGElement>) {
    const next = { ArrowRight: pointed + 1, ArrowLeft: pointed - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const chosen = Math.max(0, Math.min(shown.length - 1, next));
    event.currentTarget.querySelectorAll<SVGGElement>("[data-column]")[chosen]?.focus();
  }

  return (
    <div className="chart upset" ref={box} aria-busy={isStale}>
      {width > 0 && (
        <div className="sideways">
          <svg
            role="group"
            aria-label={`${shown.length} combinations, the largest first. The arrow keys move between them.`}
            width={place.width}
            height={height}
            viewBox={`0 0 ${place.width} ${height}`}
            onKeyDown={move}
          >
            <Marks marks={marks} y={y} left={place.left} right={place.width} />
            <Sets sets={sets} place={place} isIn={shown[pointed]?.isIn ?? []} />
            {shown.map((it, index) => (
              <Column
                key={it.isIn.join()}
                intersection={it}
                words={wordsOf(it, sets)}
                x={place.left + (index + 0.5) * place.column}
                breadth={place.column}
                y={y}
                isPointed={index === pointed}
                onPoint={() => setPointed(index)}
              />
            ))}
          </svg>
        </div>
      )}
      <p className="pointed-at" aria-hidden="true">
        {wordsOf(shown[pointed] ?? shown[0]!, sets)}
      </p>
      {intersections.length > MOST_COLUMNS && (
        <p className="quiet">
          The picture has the {MOST_COLUMNS} largest of {intersections.length} combinations. The table has all.
        </p>
      )}
    </div>
  );
}

type Places = { width: number; left: number; column: number; isNarrow: boolean };

/** Names take a third of a wide picture. A narrow one has letters, and is wider than its box if it has many columns. */
function placesOf(width: number, columns: number): Places {
  const isNarrow = width < NARROW;
  const left = isNarrow ? 84 : Math.min(280, Math.round(width / 3));
  const column = Math.max(COLUMN.least, Math.min(COLUMN.most, (width - left) / columns));
  return { width: Math.ceil(left + columns * column), left, column, isNarrow };
}

type SetsProps = { sets: readonly PlotSet[]; place: Places; isIn: readonly boolean[] };

/** The rows: a set's name, and a bar for its size that grows from the matrix to the left. */
function Sets({ sets, place: { width, left, isNarrow }, isIn }: SetsProps) {
  const room = isNarrow ? left - 34 : 90;
  const x = scaleOf([0, Math.max(...sets.map((it) => it.people), 1)], [0, room]);
  const letters = Math.floor((left - room - 50) / 7);
  return sets.map(({ letter, name, people }, index) => {
    const top = TOP + BARS + GAP + index * ROW;
    return (
      <g key={letter} className="set" aria-hidden="true">
        <title>{`${name}: ${people.toLocaleString()} members`}</title>
        {index % 2 === 0 && <rect className="stripe" x={0} y={top} width={width} height={ROW} rx="4" />}
        <text className={isIn[index] ? "name pointed-set" : "name"} x={8} y={top + ROW / 2} dy="0.34em">
          <tspan className="set-letter">{letter}</tspan>
          {!isNarrow && <tspan dx="8">{shortened(name, letters)}</tspan>}
        </text>
        <rect className="size" x={left - 12 - x(people)} y={top + 9} width={x(people)} height={ROW - 18} rx="2" />
      </g>
    );
  });
}

type ColumnProps = {
  intersection: Intersection;
  words: string;
  x: number;
  breadth: number;
  y: (people: number) => number;
  isPointed: boolean;
  onPoint: () => void;
};

function Column({ intersection: { people, isIn }, words, x, breadth, y, isPointed, onPoint }: ColumnProps) {
  const middleOf = (index: number) => TOP + BARS + GAP + (index + 0.5) * ROW;
  const within = isIn.flatMap((it, index) => (it ? [middleOf(index)] : []));
  const bar = Math.min(breadth - 8, 34);
  const top = Math.min(y(people), TOP + BARS - 1);
  return (
    <g
      data-column=""
      role="img"
      aria-label={words}
      tabIndex={isPointed ? 0 : -1}
      className={isPointed ? "column pointed-column" : "column"}
      onFocus={onPoint}
      onPointerEnter={onPoint}
    >
      <rect className="area" x={x - breadth / 2} y={4} width={breadth} height={middleOf(isIn.length) - ROW / 2 - 4} rx="6" />
      <rect className="bar" x={x - bar / 2} y={top} width={bar} height={TOP + BARS - top} rx="2" />
      <text x={x} y={top - 6} textAnchor="middle">
        {brief(people)}
      </text>
      {within.length > 1 && <line className="link" x1={x} x2={x} y1={within[0]} y2={within.at(-1)} />}
      {isIn.map((it, index) => (
        <circle key={index} className={it ? "dot within" : "dot"} cx={x} cy={middleOf(index)} r="6" />
      ))}
    </g>
  );
}

/** "in A and B, not in C: 1,234 people". */
function wordsOf({ people, isIn }: Intersection, sets: readonly { name: string }[]): string {
  const namesOf = (wanted: boolean) => sets.filter((_, index) => isIn[index] === wanted).map((it) => it.name);
  const [within, without] = [namesOf(true), namesOf(false)];
  const not = without.length > 0 ? `, not in ${listed(without, "or")}` : "";
  return `in ${listed(within, "and")}${not}: ${people.toLocaleString()} ${people === 1 ? "person" : "people"}`;
}

function listed(names: readonly string[], word: string): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${word} ${names.at(-1)}`;
}

const BRIEF = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** A number that fits over a bar; the words have the exact one. */
function brief(people: number): string {
  return people < 10_000 ? people.toLocaleString() : BRIEF.format(people);
}

function shortened(name: string, letters: number): string {
  return name.length > letters ? `${name.slice(0, Math.max(1, letters - 1)).trimEnd()}…` : name;
}
