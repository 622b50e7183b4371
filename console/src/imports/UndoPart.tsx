import { useRef, useState } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { counted, shownTime } from "../words";
import type { Found } from "./useImport";

const UNDO = graphql(`
  mutation UndoImport($input: UndoImportInput!) {
    undoImport(input: $input) {
      __typename
      ... on Import {
        id
        undo {
          state
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);

/** The button that undoes an import; then how far the undo is, what went back, and what was kept and why. */
export function UndoPart({ found, onUndo }: { found: Found; onUndo: () => void }) {
  const { id, undo, undoRefusal, dryRun, state } = found;
  if (undo) return <Undo undo={undo} />;
  if (dryRun || state === "WAITING" || state === "RUNNING") return null;
  if (undoRefusal === "TOO_OLD")
    return <p className="quiet">What an import did is known for 30 days. This one can no longer be undone.</p>;
  return <UndoButton id={id} found={found} onUndo={onUndo} />;
}

function Undo({ undo }: { undo: NonNullable<Found["undo"]> }) {
  if (undo.state === "RUNNING")
    return (
      <section aria-label="Undo">
        <p role="status">
          <strong>Undoing…</strong> {doneBy(undo).join(", ")}
        </p>
        <div className="going">
          <progress value={undo.fraction} max={1} aria-label="Undone" />
          <span className="number">{Math.floor(undo.fraction * 100)} %</span>
        </div>
      </section>
    );
  const done = doneBy(undo);
  const kept = keptBy(undo);
  return (
    <section aria-label="Undo">
      <p role="status">
        <strong>The import is undone{undo.endedAt && `, ${shownTime(undo.endedAt)}`}.</strong>{" "}
        {done.length > 0 ? `${done.join(", ")}.` : "Nothing had to change."}
      </p>
      {kept.length > 0 && (
        <>
          <h3>What was kept</h3>
          <ul className="kept">
            {kept.map(([what, why]) => (
              <li key={why}>
                {what}: <span className="quiet">{why}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

type Counts = NonNullable<Found["undo"]>;

function doneBy(undo: Counts): string[] {
  const parts: [number, string, string][] = [
    [undo.peopleErased, "person erased", "people erased"],
    [undo.valuesRestored, "value restored", "values restored"],
    [undo.membershipsUndone, "membership undone", "memberships undone"],
  ];
  return parts.filter(([number]) => number > 0).map(([number, one, many]) => counted(number, one, many));
}

function keptBy(undo: Counts): [string, string][] {
  const parts: [number, string, string, string][] = [
    [undo.peopleKept, "new person", "new people", "they have events, or somebody has changed them since"],
    [undo.valuesKept, "value", "values", "somebody has changed them since"],
    [undo.membershipsKept, "membership", "memberships", "somebody has removed and added the person again since"],
    [undo.keysKept, "address or id", "addresses or ids", "somebody else has them now"],
    [undo.refusalsKept, "refusal of messages", "refusals of messages", "only setting the channel by hand ends a refusal"],
  ];
  return parts.filter(([number]) => number > 0).map(([number, one, many, why]) => [counted(number, one, many), why]);
}

/** Asks in a dialog that says what will happen. */
function UndoButton({ id, found, onUndo }: { id: string; found: Found; onUndo: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [{ fetching }, undo] = useMutation(UNDO);
  const [problem, setProblem] = useState<string | null>(null);
  const groups = found.groups.map((it) => `“${it.name}”`).join(", ");

  async function confirm() {
    const { data, error } = await undo({ input: { id } });
    const answer = data?.undoImport;
    if (answer?.__typename === "Import") {
      dialog.current?.close();
      onUndo();
    } else setProblem(answer?.message ?? error?.graphQLErrors[0]?.message ?? "The API does not answer.");
  }

  return (
    <div className="pausing">
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Undo the import…
      </button>
      <dialog ref={dialog} aria-labelledby="undo-question" onClose={() => setProblem(null)}>
        <h3 id="undo-question">Undo this import?</h3>
        <ul className="effects">
          {found.created > 0 && (
            <li>{counted(found.created, "new person is erased", "new people are erased")}, unless they have events or changes since.</li>
          )}
          {found.updated > 0 && (
            <li>{counted(found.updated, "known person gets", "known people get")} their former values back, unless somebody has changed them since.</li>
          )}
          {groups && <li>Those whom the import added to {groups} leave again.</li>}
          <li>Messages that were sent because of the import stay sent.</li>
        </ul>
        <p>An undo cannot be stopped or undone.</p>
        <p className="pausing">
          <button type="button" autoFocus onClick={() => dialog.current?.close()}>
            Keep the import
          </button>
          <button type="button" className="danger" disabled={fetching} onClick={() => void confirm()}>
            Undo it
          </button>
        </p>
        <p className="problem" role="alert">
          {problem}
        </p>
      </dialog>
    </div>
  );
}
