import { useId } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { DifferenceChart } from "../charts/DifferenceChart";
import type { CompareQuery } from "../gql/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import type { Side } from "./Compare";
import { defaultFrom, instantOf, type Choice } from "./choice";
import { ExperimentForm } from "./ExperimentForm";
import { percent, points, spanned, verdictOf } from "./verdict";

const COMPARE = graphql(`
  query Compare($a: ID!, $b: ID!, $event: String!, $from: DateTime!, $to: DateTime, $withinDays: Int) {
    compareSegments(a: $a, b: $b, event: $event, from: $from, to: $to, withinDays: $withinDays) {
      a {
        people
        converted
        rate
        rateInterval {
          low
          high
        }
        events
        meanValue
      }
      b {
        people
        converted
        rate
        rateInterval {
          low
          high
        }
        events
        meanValue
      }
      warnings
      rateDifference {
        difference
        interval {
          low
          high
        }
        anytimeInterval {
          low
          high
        }
      }
    }
  }
`);
const EVENTS = graphql(`
  query EventsToCompare {
    eventNames {
      name
      lastSeenAt
    }
  }
`);

type ExperimentProps = { sides: readonly Side[]; choice: Choice; onChange: (next: Choice) => void };

/** What the people of two segments did in a period, and whether chance explains the difference. */
export function Experiment({ sides, choice, onChange }: ExperimentProps) {
  const heading = useId();
  const [{ data, error }, retry] = useQuery({ query: EVENTS });
  const names = data?.eventNames;
  const latest = names?.toSorted((one, other) => other.lastSeenAt.localeCompare(one.lastSeenAt))[0]?.name;
  const event = choice.event ?? latest;
  return (
    <section aria-labelledby={heading}>
      <h3 id={heading}>What their people did</h3>
      {error && !data && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {names && event === undefined && <p className="empty">No event has happened yet, so there is nothing to compare.</p>}
      {names && event !== undefined && (
        <>
          <ExperimentForm event={event} names={names.map((it) => it.name)} choice={choice} onChange={onChange} />
          <Asked sides={sides} choice={choice} event={event} />
        </>
      )}
    </section>
  );
}

function Asked({ sides: [a, b], choice, event }: { sides: readonly Side[]; choice: Choice; event: string }) {
  const from = instantOf(choice.from ?? defaultFrom());
  const to = choice.until === null ? null : instantOf(choice.until);
  const variables = { a: a!.id, b: b!.id, event, from: from ?? "", to, withinDays: choice.withinDays };
  const isWrong = from === null || (to !== null && to <= from);
  const [{ data, error, stale }, retry] = useQuery({
    query: COMPARE,
    variables,
    pause: isWrong,
    requestPolicy: "cache-and-network",
  });
  useShown(COMPARE, isWrong ? null : variables);

  if (isWrong) return <p className="problem">The period must end after it begins.</p>;
  if (error) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Counting events…
      </p>
    );
  return <Result comparison={data.compareSegments} names={[a!.name, b!.name]} event={event} isStale={stale} />;
}

type Comparison = CompareQuery["compareSegments"];
type ResultProps = { comparison: Comparison; names: readonly [string, string]; event: string; isStale: boolean };

function Result({ comparison, names, event, isStale }: ResultProps) {
  const { rateDifference, warnings, a, b } = comparison;
  return (
    <div className="result" aria-busy={isStale}>
      <p className="verdict" role="status">
        {verdictOf(comparison, names, event)}
      </p>
      {warnings.map((it) => (
        <p key={it} className="warning">
          {it}
        </p>
      ))}
      {rateDifference && (
        <DifferenceChart
          label={`The difference of the rates is ${points(rateDifference.difference)}.`}
          difference={rateDifference.difference}
          inner={{ name: "if you look only once", ...rateDifference.interval }}
          outer={{ name: "however often you look", ...rateDifference.anytimeInterval }}
          shownInterval={(it) => `${spanned(it)} percentage points`}
        />
      )}
      <div className="table" tabIndex={0} role="region" aria-label="Both sides">
        <table>
          <thead>
            <tr>
              <th scope="col">Segment</th>
              <th scope="col">People</th>
              <th scope="col">Converted</th>
              <th scope="col">Rate</th>
              <th scope="col">95 % interval</th>
              <th scope="col">Events</th>
              <th scope="col">Mean value</th>
            </tr>
          </thead>
          <tbody>
            <SideRow letter="A" name={names[0]} side={a} />
            <SideRow letter="B" name={names[1]} side={b} />
          </tbody>
        </table>
      </div>
      <p className="quiet">
        To convert is to have at least one such event. A person’s events count from the instant at which they joined the segment,
        also after they have left it.
      </p>
    </div>
  );
}

type SideRowProps = { letter: string; name: string; side: Comparison["a"] };

function SideRow({ letter, name, side: { people, converted, rate, rateInterval, events, meanValue } }: SideRowProps) {
  return (
    <tr>
      <th scope="row">
        <b className="letter">{letter}</b> {name}
      </th>
      <td className="number">{people.toLocaleString()}</td>
      <td className="number">{converted.toLocaleString()}</td>
      <td className="number">{rate == null ? "–" : percent(rate)}</td>
      <td className="number">{rateInterval ? `${percent(rateInterval.low)} to ${percent(rateInterval.high)}` : "–"}</td>
      <td className="number">{events.toLocaleString()}</td>
      <td className="number">
        {meanValue == null ? "–" : meanValue.toLocaleString(undefined, { maximumFractionDigits: 2 })}
      </td>
    </tr>
  );
}
