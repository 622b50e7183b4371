import { useEffect, useState } from "react";
import { useClient, useMutation, type CombinedError } from "urql";

import { graphql } from "../api/graphql";
import type { ExportProgressSubscription } from "../gql/graphql";
import { counted, shownTime } from "../words";
import { dropExport } from "./kept";

const PROGRESS = graphql(`
  subscription ExportProgress($id: ID!) {
    exportProgress(id: $id) {
      id
      state
      format
      total
      rows
      bytes
      failure
      createdAt
      expiresAt
    }
  }
`);
const EXPIRE = graphql(`
  mutation ExpireExport($input: ExpireExportInput!) {
    expireExport(input: $input) {
      __typename
    }
  }
`);

type Export = ExportProgressSubscription["exportProgress"];

/** One file: how far it is, its download, and a button that deletes it. */
export function ExportRow({ id, downloadUrl }: { id: string; downloadUrl: string }) {
  const client = useClient();
  const [heard, setHeard] = useState<Export | null>(null);
  const [error, setError] = useState<CombinedError | null>(null);
  const [{ fetching }, expire] = useMutation(EXPIRE);

  useEffect(() => {
    const { unsubscribe } = client.subscription(PROGRESS, { id }).subscribe((result) => {
      if (result.data) setHeard(result.data.exportProgress);
      setError(result.error ?? null);
    });
    return unsubscribe;
  }, [client, id]);

  async function remove() {
    const { data } = await expire({ input: { id } });
    if (data) dropExport(id);
  }

  if (error && !heard) return <li className="problem">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</li>;
  if (!heard)
    return (
      <li className="quiet" aria-busy="true">
        Loading…
      </li>
    );
  const { state, format, total, rows, failure, createdAt, expiresAt } = heard;
  return (
    <li>
      <p>
        <strong>{format}</strong> of {shownTime(createdAt)}{" "}
        <span className={`run ${state.toLowerCase()}`}>{state.toLowerCase()}</span>
      </p>
      {(state === "WAITING" || state === "RUNNING") && (
        <progress value={total ? rows / total : 0} max={1} aria-label="Rows written" />
      )}
      {failure && <p className="problem">{failure}</p>}
      {state === "DONE" && (
        <p className="pausing">
          <a className="button" href={new URL(downloadUrl.replace(/^\//, ""), document.baseURI).href} download>
            Download {counted(rows, "row", "rows")}
          </a>
          <button type="button" aria-disabled={fetching} onClick={() => !fetching && void remove()}>
            Delete the file
          </button>
          <span className="quiet">kept until {shownTime(expiresAt)}</span>
        </p>
      )}
    </li>
  );
}
