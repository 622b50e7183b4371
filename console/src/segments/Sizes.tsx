import { useId, useMemo, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { LineChart, type Point } from "../charts/LineChart";
import type { Interval } from "../gql/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { PERIODS, shownInstantOf, type Period } from "./periods";
import { SizeTable } from "./SizeTable";

const SIZES = graphql(`
  query Sizes($id: ID!, $from: DateTime!, $every: Interval!) {
    segment(by: { id: $id }) {
      id
      createdAt
      sizeHistory(from: $from, every: $every) {
        at
        members
      }
    }
  }
`);
const FORECAST = graphql(`
  query Forecast($id: ID!, $until: DateTime!, $every: Interval!) {
    segment(by: { id: $id }) {
      id
      sizeForecast(until: $until, every: $every) {
        at
        members
        margin
      }
    }
  }
`);

type SizesProps = { id: string; name: string; /** The size now. */ members: number };

/** A segment's size over time, and what the clock alone will make of it. */
export function Sizes(props: SizesProps) {
  const [period, setPeriod] = useState<Period>("month");
  const ids = useId();
  return (
    <section className="sizes" aria-labelledby={ids}>
      <header>
        <h3 id={ids}>Size over time</h3>
        <div className="choices" role="group" aria-label="Period">
          {(Object.keys(PERIODS) as Period[]).map((it) => (
            <button key={it} type="button" aria-pressed={it === period} onClick={() => setPeriod(it)}>
              {PERIODS[it].label}
            </button>
          ))}
        </div>
      </header>
      <Asked key={period} {...props} period={period} />
    </section>
  );
}

function Asked({ id, name, members, period }: SizesProps & { period: Period }) {
  const { days, every } = PERIODS[period];
  const { from, now, until } = useMemo(() => boundsOf(days), [days]);
  const wanted = { id, every: every as Interval };
  const [past, readPast] = useQuery({ query: SIZES, variables: { ...wanted, from } });
  const [future, readFuture] = useQuery({ query: FORECAST, variables: { ...wanted, until } });
  useShown(SIZES, { ...wanted, from });
  useShown(FORECAST, { ...wanted, until });

  const segment = past.data?.segment;
  if (past.error && !segment) return <Trouble error={past.error} onRetry={() => readPast({ requestPolicy: "network-only" })} />;
  if (!segment) return <Waiting />;
  const known = pastOf(segment, members, now);
  const expected = futureOf(future.data?.segment?.sizeForecast ?? []);
  const shownInstant = shownInstantOf(period);
  return (
    <>
      {[...known, ...expected].every((it) => it.value === 0) ? (
        <p className="empty">Nobody was in this segment in this time, and without new facts nobody will be.</p>
      ) : (
        <LineChart label={labelOf(name, known, expected)} past={known} future={expected} shownInstant={shownInstant} />
      )}
      {future.error ? (
        <Trouble error={future.error} onRetry={() => readFuture({ requestPolicy: "network-only" })} />
      ) : (
        <p className="quiet" role="status">
          {future.fetching ? "Looking ahead…" : "Dotted: the size if nothing happens from now on but the passing of time."}
          {expected.some((it) => it.margin > 0) && " It is estimated; the band has the true size in 95 % of cases."}
        </p>
      )}
      <SizeTable past={known} future={expected} shownInstant={shownInstant} />
    </>
  );
}

function Waiting() {
  return (
    <div className="chart-bones" aria-busy="true">
      <p className="unseen">Loading the sizes…</p>
    </div>
  );
}

const DAY_MILLISECONDS = 86_400_000;

/** As long into the past as into the future. */
function boundsOf(days: number) {
  const now = Date.now();
  const [from, until] = [now - days * DAY_MILLISECONDS, now + days * DAY_MILLISECONDS];
  return { now, from: new Date(from).toISOString(), until: new Date(until).toISOString() };
}

type Read = { createdAt: string; sizeHistory: readonly { at: string; members: number }[] };

/** The size at the end of each interval since the segment exists. The present interval ends now, with the size that is shown elsewhere. */
function pastOf({ createdAt, sizeHistory }: Read, members: number, now: number): Point[] {
  const ended = sizeHistory.slice(0, -1).map((it, index) => pointOf(sizeHistory[index + 1]!.at, it.members));
  return [...ended.filter((it) => it.at > Date.parse(createdAt)), { at: now, value: members, margin: 0 }];
}

/** The size at the end of each interval. The last one ends where the next would begin. */
function futureOf(forecast: readonly { at: string; members: number; margin: number }[]): Point[] {
  return forecast.slice(0, -1).map((it, index) => pointOf(forecast[index + 1]!.at, it.members, it.margin));
}

function pointOf(at: string, value: number, margin = 0): Point {
  return { at: Date.parse(at), value, margin };
}

function labelOf(name: string, past: readonly Point[], future: readonly Point[]): string {
  const [first, last, end] = [past[0], past.at(-1), future.at(-1)];
  const was = first === last ? "" : ` from ${first?.value.toLocaleString()} to ${last?.value.toLocaleString()} members,`;
  const willBe = end ? `, ${end.value.toLocaleString()} expected at the end` : "";
  return `The size of ${name}:${was} ${last?.value.toLocaleString()} now${willBe}. The table below has all values.`;
}
