import { useMemo, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { PerformanceQuery } from "../gql/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { OnDemand } from "./OnDemand";

const EVENTS = graphql(`
  query EventNames {
    eventNames {
      name
      lastSeenAt
    }
  }
`);
const PERFORMANCE = graphql(`
  query Performance($id: ID!, $events: [String!]!, $from: DateTime!) {
    segment(by: { id: $id }) {
      id
      performance(events: $events, from: $from) {
        event
        members {
          people
          audience
          events
          sum
          rate
        }
        everybody {
          rate
        }
      }
    }
  }
`);

/** The API answers for at most so many events at once. */
const MOST_EVENTS = 10;
const DAYS = [7, 30, 90] as const;
const DAY_MILLISECONDS = 86_400_000;

/** What the members did while they were members, next to what everybody did. */
export function Performance({ id }: { id: string }) {
  const [days, setDays] = useState<number>(30);
  const choices = (
    <div className="choices" role="group" aria-label="Period of what they did">
      {DAYS.map((it) => (
        <button key={it} type="button" aria-pressed={it === days} onClick={() => setDays(it)}>
          {it} days
        </button>
      ))}
    </div>
  );
  return (
    <OnDemand title="What the members did" choices={choices}>
      <WithEvents key={`${id} ${days}`} id={id} days={days} />
    </OnDemand>
  );
}

function WithEvents({ id, days }: { id: string; days: number }) {
  const [{ data, error }, retry] = useQuery({ query: EVENTS });
  useShown(EVENTS, {});
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Counting />;
  const latest = data.eventNames.toSorted((one, other) => other.lastSeenAt.localeCompare(one.lastSeenAt));
  const events = latest.slice(0, MOST_EVENTS).map((it) => it.name);
  if (events.length === 0) return <p className="empty">No events are known yet.</p>;
  return (
    <>
      <Asked id={id} days={days} events={events} />
      {latest.length > MOST_EVENTS && <p className="quiet">These are the {MOST_EVENTS} kinds of events that happened last.</p>}
    </>
  );
}

function Asked({ id, days, events }: { id: string; days: number; events: string[] }) {
  const from = useMemo(() => new Date(Date.now() - days * DAY_MILLISECONDS).toISOString(), [days]);
  const variables = { id, events, from };
  const [{ data, error }, retry] = useQuery({ query: PERFORMANCE, variables });
  useShown(PERFORMANCE, variables);
  if (error?.graphQLErrors.some((it) => it.extensions.code === "LOG_EXPIRED"))
    return <p className="empty">The log does not reach back so far. Choose a shorter period.</p>;
  if (error && !data?.segment) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Counting />;
  return data.segment && <Table found={data.segment.performance} days={days} />;
}

const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const shownRate = (rate: number | null | undefined) => (rate == null ? "–" : PERCENT.format(rate));

type TableProps = { found: NonNullable<PerformanceQuery["segment"]>["performance"]; days: number };

function Table({ found, days }: TableProps) {
  return (
    <>
      <p>
        {(found[0]?.members.audience ?? 0).toLocaleString()} people were members at some time of the last {days} days. Only what they did
        while they were members counts.
      </p>
      <div className="table folds" tabIndex={0} role="region" aria-label="What they did">
        <table>
          <thead>
            <tr>
              <th scope="col">Event</th>
              <th scope="col">Did it</th>
              <th scope="col">Of everybody</th>
              <th scope="col">Times</th>
              <th scope="col">Total value</th>
            </tr>
          </thead>
          <tbody>
            {found.map(({ event, members, everybody }) => (
              <tr key={event}>
                <th scope="row">{event}</th>
                <td>
                  {members.people.toLocaleString()} ({shownRate(members.rate)})
                </td>
                <td>{shownRate(everybody.rate)}</td>
                <td>{members.events.toLocaleString()}</td>
                <td>{members.sum == null ? "–" : members.sum.toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Counting() {
  return (
    <p className="empty" aria-busy="true">
      Counting what they did…
    </p>
  );
}
