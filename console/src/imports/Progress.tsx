import { useState } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import type { ImportState } from "../gql/graphql";
import { Trouble } from "../Trouble";
import { counted, shownTime } from "../words";
import { Lines } from "./Lines";
import { UndoPart } from "./UndoPart";
import { hasEnded, useImport, type Found } from "./useImport";

const CANCEL = graphql(`
  mutation CancelImport($input: CancelImportInput!) {
    cancelImport(input: $input) {
      __typename
      ... on Import {
        id
        state
      }
      ... on UserError {
        message
      }
    }
  }
`);

export const STATES: Record<ImportState, string> = {
  WAITING: "waiting",
  RUNNING: "running",
  DONE: "done",
  FAILED: "failed",
  CANCELLED: "stopped",
};

type ProgressProps = { id: string; isNamed?: boolean };

/** How far an import is, what became of its rows, and the buttons that stop and undo it. `isNamed` says which import it is. */
export function Progress({ id, isNamed = false }: ProgressProps) {
  const { found, error, retry, listen } = useImport(id);
  if (error && !found) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (found === null) return <p className="empty">This import does not exist.</p>;
  if (!found)
    return (
      <p className="empty" aria-busy="true">
        Loading…
      </p>
    );
  const { state, dryRun, fraction, failure } = found;
  return (
    <div className="progress">
      {isNamed && (
        <p className="quiet">
          {nameOf(found)} · {circumstancesOf(found)}
        </p>
      )}
      <p role="status">
        <strong>{titleOf(found)}</strong> {found.state !== "WAITING" && numbersOf(found)}
      </p>
      {!hasEnded(found) && (
        <div className="going">
          <progress value={fraction} max={1} aria-label={dryRun ? "Rows checked" : "Rows written"} />
          <span className="number">{Math.floor(fraction * 100)} %</span>
          <StopButton id={id} dryRun={dryRun} />
        </div>
      )}
      {failure && <p className="problem">{failure}</p>}
      {state === "CANCELLED" && !dryRun && <p className="quiet">Rows that were written before stay.</p>}
      <UndoPart found={found} onUndo={listen} />
      <Lines title="Refused lines" total={found.rejected} lines={found.rejects.edges.map((it) => it.node)} isRead={found.isRead} />
      <Lines title="Lines written except for a part" total={found.noticed} lines={found.notices.edges.map((it) => it.node)} isRead={found.isRead} />
    </div>
  );
}

function titleOf({ state, dryRun, rowsRead, rejected }: Found): string {
  const is = dryRun ? "The check" : "The import";
  if (state === "WAITING") return `${is} waits for a worker.`;
  if (state === "RUNNING") return dryRun ? "Checking…" : "Importing…";
  if (state === "FAILED") return `${is} failed.`;
  if (state === "CANCELLED") return `${is} was stopped.`;
  if (rowsRead === 0) return "The file has no rows.";
  if (dryRun) return rejected === 0 ? "Every row can be imported." : `${counted(rejected, "row", "rows")} would be refused.`;
  return rejected === 0 ? "Every row is imported." : `Done, but ${counted(rejected, "row was", "rows were")} refused.`;
}

type Named = Pick<Found, "dryRun" | "fileName" | "createdAt">;

/** The file's name, or when the import was started if nobody told the name. */
export function nameOf({ dryRun, fileName, createdAt }: Named): string {
  return `${dryRun ? "Check" : "Import"} of ${fileName ?? shownTime(createdAt)}`;
}

type Circumstances = Pick<Found, "createdAt" | "startedBy" | "groups">;

/** When and by whom an import was started, and the groups that it adds people to. */
export function circumstancesOf({ createdAt, startedBy, groups }: Circumstances): string {
  const parts = [shownTime(createdAt)];
  if (startedBy !== null) parts.push(`with the token “${startedBy}”`);
  if (groups.length > 0) parts.push(`into ${groups.map((it) => it.name).join(", ")}`);
  return parts.join(" · ");
}

type Numbers = Pick<Found, "dryRun" | "rowsRead" | "created" | "updated" | "rejected">;

/** Rows that say what is stored already are neither created nor updated nor refused. */
export function numbersOf({ dryRun, rowsRead, created, updated, rejected }: Numbers): string {
  const unchanged = rowsRead - created - updated - rejected;
  const parts: [number, string][] = [[created, "created"], [updated, "updated"], [unchanged, "unchanged"], [rejected, "refused"]];
  const told = parts.filter(([number]) => number > 0).map(([number, word]) => `${number.toLocaleString()} ${word}`);
  if (told.length === 0) return `${counted(rowsRead, "row", "rows")} read so far.`;
  return `${counted(rowsRead, "row", "rows")} read${dryRun ? ", which would give" : ""}: ${told.join(", ")}.`;
}

function StopButton({ id, dryRun }: { id: string; dryRun: boolean }) {
  const [{ fetching }, cancel] = useMutation(CANCEL);
  const [problem, setProblem] = useState<string | null>(null);

  async function stop() {
    const { data, error } = await cancel({ input: { id } });
    const answer = data?.cancelImport;
    if (answer?.__typename !== "Import")
      setProblem(answer?.message ?? error?.graphQLErrors[0]?.message ?? "The API does not answer.");
  }

  return (
    <>
      <button type="button" aria-disabled={fetching} onClick={() => !fetching && void stop()}>
        {dryRun ? "Stop the check" : "Stop the import"}
      </button>
      <span className="problem" role="alert">
        {problem}
      </span>
    </>
  );
}
