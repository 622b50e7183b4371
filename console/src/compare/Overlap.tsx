import { useId } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { UpSetPlot, type Intersection } from "../charts/UpSetPlot";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { counted } from "../words";
import type { Side } from "./Compare";
import { LETTERS } from "./choice";

const OVERLAP = graphql(`
  query Overlap($ids: [ID!]!) {
    segmentOverlap(segmentIds: $ids) {
      members
      segments {
        id
      }
    }
  }
`);

/** How many people are in which of the segments, as a picture and as a table. */
export function Overlap({ sides }: { sides: readonly Side[] }) {
  const ids = sides.map((it) => it.id);
  const heading = useId();
  const [{ data, error, stale }, retry] = useQuery({
    query: OVERLAP,
    variables: { ids },
    requestPolicy: "cache-and-network",
  });
  useShown(OVERLAP, { ids });
  const intersections = data?.segmentOverlap.map(({ members, segments }): Intersection => {
    const within = segments.map((it) => ids.indexOf(it.id));
    return { people: members, isIn: ids.map((_, index) => within.includes(index)) };
  });

  return (
    <section aria-labelledby={heading}>
      <h3 id={heading}>Whom they have in common</h3>
      {error && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {!intersections && !error && (
        <div className="chart-bones" aria-busy="true">
          <p className="unseen">Counting the people…</p>
        </div>
      )}
      {intersections?.length === 0 && <p className="empty">Nobody is in any of these segments at present.</p>}
      {intersections && intersections.length > 0 && !error && (
        <>
          <p className="lead">{sentenceOf(intersections, sides)}</p>
          <UpSetPlot
            key={ids.join()}
            sets={sides.map((it, index) => ({ letter: LETTERS[index]!, name: it.name, people: it.memberCount }))}
            intersections={intersections}
            isStale={stale}
          />
          <OverlapTable sides={sides} intersections={intersections} />
        </>
      )}
    </section>
  );
}

/** How many people are in at least one, and how many in all. */
function sentenceOf(intersections: readonly Intersection[], sides: readonly Side[]): string {
  const inAny = intersections.reduce((sum, it) => sum + it.people, 0);
  const inAll = intersections.find((it) => it.isIn.every(Boolean))?.people ?? 0;
  const all = sides.length === 2 ? "both" : `all ${sides.length}`;
  return `${counted(inAny, "person is", "people are")} in at least one of these segments, ${inAll.toLocaleString()} in ${all} of them.`;
}

type OverlapTableProps = { sides: readonly Side[]; intersections: readonly Intersection[] };

function OverlapTable({ sides, intersections }: OverlapTableProps) {
  const namesOf = (isIn: readonly boolean[], wanted: boolean) =>
    sides.flatMap((it, index) => (isIn[index] === wanted ? [it.name] : [])).join(", ");
  return (
    <details>
      <summary>Show these numbers as a table</summary>
      <div className="table tall" tabIndex={0} role="region" aria-label="Combinations">
        <table>
          <thead>
            <tr>
              <th scope="col">In</th>
              <th scope="col">Not in</th>
              <th scope="col">People</th>
            </tr>
          </thead>
          <tbody>
            {intersections.map(({ isIn, people }) => (
              <tr key={isIn.join()}>
                <th scope="row">{namesOf(isIn, true)}</th>
                <td>{namesOf(isIn, false) || "none"}</td>
                <td className="number">{people.toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
