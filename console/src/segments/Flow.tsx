import { useId, useMemo, useState } from "react";
import { useQuery } from "urql";

import { FlowChart, type FlowColumn } from "../charts/FlowChart";
import type { FlowPartFragment, FlowWholeFragment, MembershipCause } from "../gql/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { CAUSES, counted, lengthOf } from "../words";
import { DOCUMENTS, FLOW_PERIODS, instantsOf, type FlowPeriod, type Flows } from "./flows";
import { FlowTable } from "./FlowTable";

/** Who entered and left a segment over time, and why. */
export function Flow({ id }: { id: string }) {
  const [period, setPeriod] = useState<FlowPeriod>("week");
  const ids = useId();
  return (
    <section className="sizes" aria-labelledby={ids}>
      <header>
        <h3 id={ids}>Entering and leaving, by cause</h3>
        <div className="choices" role="group" aria-label="Period of entering and leaving">
          {(Object.keys(FLOW_PERIODS) as FlowPeriod[]).map((it) => (
            <button key={it} type="button" aria-pressed={it === period} onClick={() => setPeriod(it)}>
              {FLOW_PERIODS[it].label}
            </button>
          ))}
        </div>
      </header>
      <Asked key={`${id} ${period}`} id={id} period={period} />
    </section>
  );
}

function Asked({ id, period }: { id: string; period: FlowPeriod }) {
  const variables = useMemo(() => instantsOf(id, period), [id, period]);
  const [{ data, error }, retry] = useQuery({ query: DOCUMENTS[period], variables });
  useShown(DOCUMENTS[period], variables);

  if (error?.graphQLErrors.some((it) => it.extensions.code === "LOG_EXPIRED"))
    return <p className="empty">The log does not reach back so far. Choose a shorter period.</p>;
  if (error && !data?.segment) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <div className="chart-bones" aria-busy="true">
        <p className="unseen">Loading who entered and left…</p>
      </div>
    );
  return data.segment && <Shown segment={data.segment} period={period} />;
}

type ShownProps = { segment: NonNullable<Flows["segment"]>; period: FlowPeriod };

function Shown({ segment, period }: ShownProps) {
  const { flow: whole } = segment;
  const { count, words } = FLOW_PERIODS[period];
  const columns = Array.from({ length: count }, (_, index) => columnOf(segment[`part${index}`]!));
  const causes = whole.causes.map((it) => it.cause);
  const [hidden, setHidden] = useState<readonly MembershipCause[]>(() => hiddenFirst(causes));
  if (causes.length === 0) return <p className="empty">Nobody entered or left in {words}.</p>;
  const shownInstant = instantsIn(period);
  const toggle = (cause: MembershipCause) =>
    setHidden(hidden.includes(cause) ? hidden.filter((it) => it !== cause) : [...hidden, cause]);
  return (
    <>
      <p className="flow-words">{sentenceOf(whole, words)}</p>
      <FlowChart
        label={`Who entered and left in ${words}. The table below has all values.`}
        columns={columns}
        series={causes.filter((it) => !hidden.includes(it))}
        shownInstant={shownInstant}
      />
      <ul className="flow-legend" aria-label="Causes">
        {whole.causes.map(({ cause, entered, left }) => (
          <li key={cause}>
            <button type="button" aria-pressed={!hidden.includes(cause)} onClick={() => toggle(cause)}>
              <span className={`swatch ${cause}`} aria-hidden="true" />
              {CAUSES[cause]}: {entered.toLocaleString()} entered, {left.toLocaleString()} left
            </button>
          </li>
        ))}
      </ul>
      <FlowTable columns={columns} causes={causes} shownInstant={shownInstant} />
    </>
  );
}

function columnOf({ from, causes }: FlowPartFragment): FlowColumn {
  return {
    from: Date.parse(from),
    entered: Object.fromEntries(causes.map((it) => [it.cause, it.entered])),
    left: Object.fromEntries(causes.map((it) => [it.cause, it.left])),
  };
}

/** A new or edited condition moves so many people at once that nothing else could be seen beside them. */
function hiddenFirst(causes: readonly MembershipCause[]): MembershipCause[] {
  return causes.length > 1 ? causes.filter((it) => it === "DEFINITION") : [];
}

function sentenceOf({ came, cameBack, left, medianStaySeconds, causes }: FlowWholeFragment, words: string): string {
  const back = cameBack > 0 ? `, ${cameBack.toLocaleString()} of them after they had left before` : "";
  const exits = causes.reduce((sum, it) => sum + it.left, 0);
  const main = causes.reduce((one, other) => (other.left > one.left ? other : one));
  const share = exits === main.left ? "every time" : `${main.left.toLocaleString()} of ${counted(exits, "time", "times")}`;
  const why = exits > 0 ? ` The main reason for leaving: ${CAUSES[main.cause]} (${share}).` : "";
  const stay = medianStaySeconds == null ? "" : ` Half of the stays that ended were shorter than ${lengthOf(medianStaySeconds)}.`;
  return `In ${words}, ${counted(came, "person", "people")} entered${back}, and ${counted(left, "person", "people")} left.${why}${stay}`;
}

const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const LONG = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

function instantsIn(period: FlowPeriod): (at: number, isLong: boolean) => string {
  const short = period === "day" ? HOUR : DAY;
  return (at, isLong) => (isLong ? LONG : short).format(at);
}
