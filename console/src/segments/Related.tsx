import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { COMPARE, toSegment } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { OnDemand } from "./OnDemand";

const RELATED = graphql(`
  query Related($id: ID!) {
    segment(by: { id: $id }) {
      id
      dependsOn {
        id
        name
      }
      usedBy {
        id
        name
      }
      similar(first: 3) {
        both
        jaccard
        segment {
          id
          name
        }
      }
    }
  }
`);

const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });

/** The segments that this one reads, those that read it, and those with almost the same members. */
export function Related({ id }: { id: string }) {
  return (
    <OnDemand title="Related segments">
      <Others id={id} />
    </OnDemand>
  );
}

function Others({ id }: { id: string }) {
  const [{ data, error }, retry] = useQuery({ query: RELATED, variables: { id } });
  useShown(RELATED, { id });
  const segment = data?.segment;

  if (error && !segment) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!segment)
    return (
      <p className="empty" aria-busy="true">
        Comparing…
      </p>
    );
  const { dependsOn, usedBy, similar } = segment;
  const others = similar.flatMap((it) => (it.segment ? [{ ...it, segment: it.segment }] : []));
  if (dependsOn.length + usedBy.length + others.length === 0)
    return <p className="empty">No other segment names this one, is named by it, or has members in common with it.</p>;
  return (
    <ul>
      {dependsOn.map((it) => (
        <li key={`reads ${it.id}`}>
          Its condition names <a href={toSegment(it.id)}>{it.name}</a>.
        </li>
      ))}
      {usedBy.map((it) => (
        <li key={`used ${it.id}`}>
          The condition of <a href={toSegment(it.id)}>{it.name}</a> names it.
        </li>
      ))}
      {others.map((it) => (
        <li key={`similar ${it.segment.id}`}>
          {it.both.toLocaleString()} members are also in <a href={toSegment(it.segment.id)}>{it.segment.name}</a>:{" "}
          {PERCENT.format(it.jaccard)} of all who are in one of the two.{" "}
          <a href={`${COMPARE}?${new URLSearchParams({ segments: `${id},${it.segment.id}` })}`}>
            Compare<span className="unseen"> with {it.segment.name}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
