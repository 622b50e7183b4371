import type { FlowColumn } from "../charts/FlowChart";
import type { MembershipCause } from "../gql/graphql";
import { CAUSES } from "../words";

type FlowTableProps = {
  columns: readonly FlowColumn[];
  causes: readonly MembershipCause[];
  shownInstant: (at: number, isLong: boolean) => string;
};

/** The values of the picture, the latest first. Intervals and causes without changes are left out. */
export function FlowTable({ columns, causes, shownInstant }: FlowTableProps) {
  const rows = columns
    .toReversed()
    .flatMap(({ from, entered, left }) =>
      causes.map((cause) => ({ from, cause, entered: entered[cause] ?? 0, left: left[cause] ?? 0 })),
    )
    .filter((it) => it.entered + it.left > 0);
  return (
    <details>
      <summary>Show these numbers as a table</summary>
      <div className="table tall" tabIndex={0} role="region" aria-label="Entering and leaving as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Cause</th>
              <th scope="col">Entered</th>
              <th scope="col">Left</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ from, cause, entered, left }) => (
              <tr key={`${from} ${cause}`}>
                <th scope="row">{shownInstant(from, true)}</th>
                <td>{CAUSES[cause]}</td>
                <td className="number">{entered.toLocaleString()}</td>
                <td className="number">{left.toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
