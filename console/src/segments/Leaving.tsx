import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { LeavingQuery } from "../gql/graphql";
import { Pager, usePages } from "../lists/Pager";
import { choose, toPerson, toSegment, useChoices } from "../paths";
import { nameOf } from "../people/names";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";
import "./segments-page.css";

const LEAVING = graphql(`
  query Leaving($id: ID!, $within: Duration!, $after: String, $isEntering: Boolean!) {
    segment(by: { id: $id }) {
      id
      name
      state
      leaving(within: $within, first: 20, after: $after) @skip(if: $isEntering) {
        edges {
          at
          reasons {
            path
            summary
            matches
          }
          node {
            id
            email
            phone
            externalId
            firstName
            lastName
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
      entering(within: $within, first: 20, after: $after) @include(if: $isEntering) {
        edges {
          at
          reasons {
            path
            summary
            matches
          }
          node {
            id
            email
            phone
            externalId
            firstName
            lastName
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

/** How far ahead the page looks. */
const SPANS = {
  day: { label: "Within a day", words: "the next 24 hours", within: { hours: 24 } },
  week: { label: "Within a week", words: "the next 7 days", within: { days: 7 } },
  month: { label: "Within a month", words: "the next 30 days", within: { days: 30 } },
} as const;
type Span = keyof typeof SPANS;

/** Who leaves or enters a segment soon if nothing happens, the soonest first. The choice is in the address. */
export function Leaving({ id }: { id: string }) {
  const choices = useChoices();
  const written = choices.get("within") ?? "";
  const span: Span = written in SPANS ? (written as Span) : "week";
  const isEntering = choices.get("who") === "entering";
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const pick = (next: Span, enters: boolean) => choose(new URLSearchParams({ within: next, ...(enters && { who: "entering" }) }));

  return (
    <article className="leaving">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          {isEntering ? "Entering soon" : "Leaving soon"}
        </h2>
        <div className="choices" role="group" aria-label="Who">
          <button type="button" aria-pressed={!isEntering} onClick={() => pick(span, false)}>
            Leaving
          </button>
          <button type="button" aria-pressed={isEntering} onClick={() => pick(span, true)}>
            Entering
          </button>
        </div>
        <div className="choices" role="group" aria-label="How far ahead">
          {(Object.keys(SPANS) as Span[]).map((it) => (
            <button key={it} type="button" aria-pressed={it === span} onClick={() => pick(it, isEntering)}>
              {SPANS[it].label}
            </button>
          ))}
        </div>
      </header>
      <People id={id} span={span} isEntering={isEntering} />
    </article>
  );
}

type PeopleProps = { id: string; span: Span; isEntering: boolean };

function People({ id, span, isEntering }: PeopleProps) {
  const pages = usePages(`${id} ${span} ${isEntering}`);
  const variables = { id, within: SPANS[span].within, isEntering, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({ query: LEAVING, variables, requestPolicy: "cache-and-network" });
  useShown(LEAVING, variables);
  const segment = data?.segment;
  const page = segment?.entering ?? segment?.leaving;

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Looking ahead…
      </p>
    );
  if (!segment || !page) return <p className="empty">This segment does not exist, or no longer exists.</p>;
  const { edges, pageInfo } = page;
  const { words } = SPANS[span];
  const verb = isEntering ? "enters" : "leaves";
  return (
    <>
      <p className="summary">
        Who {verb} <a href={toSegment(id)}>{segment.name}</a> in {words} if nothing happens but the passing of time, the soonest first.
        {segment.state === "PAUSED" && " The segment is paused, so nobody enters or leaves."}
      </p>
      {edges.length === 0 && !pageInfo.hasNextPage && pages.isFirst ? (
        <p className="empty" role="status">
          Nobody {verb} in {words} by the passing of time alone.
        </p>
      ) : (
        <>
          <Table edges={edges} isEntering={isEntering} />
          <Pager pages={pages} info={pageInfo} isReading={fetching} />
        </>
      )}
    </>
  );
}

type Coming = NonNullable<NonNullable<LeavingQuery["segment"]>["leaving"]>["edges"];

function Table({ edges, isEntering }: { edges: Coming; isEntering: boolean }) {
  return (
    <div className="table" tabIndex={0} role="region" aria-label={isEntering ? "Who enters" : "Who leaves"}>
      <table>
        <thead>
          <tr>
            <th scope="col">Person, and why then</th>
            <th scope="col">{isEntering ? "Enters" : "Leaves"}</th>
          </tr>
        </thead>
        <tbody>
          {edges.map(({ node, at, reasons }) => (
            <tr key={node.id}>
              <th scope="row">
                <a href={toPerson(node.id)}>{nameOf(node)}</a>
                {reasons.length === 0 && <span className="because">It is due already.</span>}
                {reasons.map((it) => (
                  <span key={it.path.join("/")} className="because">
                    {it.matches ? "true from then on: " : "no longer true: "}
                    {it.summary}
                  </span>
                ))}
              </th>
              <td>
                <time dateTime={at}>{shownTime(at)}</time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
