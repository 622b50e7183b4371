import { RunRow } from "./RunRow";
import type { Run } from "./run";

/** Runs, with the people for whom they acted. */
export function RunsTable({ runs }: { runs: readonly Run[] }) {
  return (
    <div className="table folds" tabIndex={0} role="region" aria-label="Table of runs">
      <table aria-label="Runs">
        <thead>
          <tr>
            <th scope="col">Person</th>
            <th scope="col">State</th>
            <th scope="col">Reason</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <RunRow key={run.id} run={run} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
