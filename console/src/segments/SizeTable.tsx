import { marginOf, type Point } from "../charts/LineChart";

type SizeTableProps = {
  past: readonly Point[];
  future: readonly Point[];
  shownInstant: (at: number, isLong: boolean) => string;
};

/** The values of the picture, the latest first. */
export function SizeTable({ past, future, shownInstant }: SizeTableProps) {
  const rows = [
    ...past.map((point) => ({ ...point, isExpected: false })),
    ...future.map((point) => ({ ...point, isExpected: true })),
  ].toReversed();
  return (
    <details>
      <summary>Show these sizes as a table</summary>
      <div className="table tall" tabIndex={0} role="region" aria-label="Sizes">
        <table>
          <thead>
            <tr>
              <th scope="col">Instant</th>
              <th scope="col">Members</th>
              <th scope="col">Kind</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.at}>
                <th scope="row">{shownInstant(row.at, true)}</th>
                <td className="number">
                  {row.value.toLocaleString()}
                  {marginOf(row)}
                </td>
                <td>{row.isExpected ? "expected" : "counted"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
