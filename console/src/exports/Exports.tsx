import { useEffect, useId, useRef, useState } from "react";
import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ExportFormat } from "../gql/graphql";
import { toSegment } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { counted } from "../words";
import { ExportRow } from "./ExportRow";
import { keepExport, useKeptExports } from "./kept";

const EXPORTED = graphql(`
  query ExportedSegment($id: ID!) {
    segment(by: { id: $id }) {
      id
      name
      memberCount
    }
    customFields {
      id
      key
      label
    }
  }
`);
const EXPORT = graphql(`
  mutation ExportList($input: ExportListInput!) {
    exportList(input: $input) {
      __typename
      ... on ExportListPayload {
        downloadUrl
        export {
          id
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);

const COLUMNS = ["id", "externalId", "email", "enteredAt", "phone", "firstName", "lastName", "language", "timezone", "country", "region", "city", "postalCode", "birthday", "createdAt", "updatedAt"];
const USUAL = ["id", "externalId", "email", "enteredAt"];

/** Writes the members of a segment to a file, and offers the files of this tab for download. */
export function Exports({ segmentId }: { segmentId: string }) {
  const [{ data, error }, retry] = useQuery({ query: EXPORTED, variables: { id: segmentId } });
  useShown(EXPORTED, { id: segmentId });
  const kept = useKeptExports().filter((it) => it.segmentId === segmentId);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading…
      </p>
    );
  if (!data.segment) return <p className="empty">This segment does not exist, or no longer exists.</p>;
  const { name, memberCount } = data.segment;
  return (
    <article className="answers">
      <Head name={name} segmentId={segmentId} />
      <p>{counted(memberCount, "person is a member", "people are members")} at present. The file has those of the instant at which it is written.</p>
      <Form segmentId={segmentId} columns={[...COLUMNS, ...data.customFields.map((it) => `field:${it.key}`)]} />
      <section aria-labelledby="exports-of-this-tab">
        <h3 id="exports-of-this-tab">Files of this tab</h3>
        {kept.length === 0 && <p className="empty">No file yet. A file is kept for 24 hours, and its link in this tab only.</p>}
        <ul className="imports">
          {kept.map((it) => (
            <ExportRow key={it.id} id={it.id} downloadUrl={it.downloadUrl} />
          ))}
        </ul>
      </section>
    </article>
  );
}

function Head({ name, segmentId }: { name: string; segmentId: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <header className="titled">
      <h2 ref={heading} tabIndex={-1}>
        Export {name}
      </h2>
      <a href={toSegment(segmentId)}>Back to the segment</a>
    </header>
  );
}

function Form({ segmentId, columns }: { segmentId: string; columns: readonly string[] }) {
  const id = useId();
  const [format, setFormat] = useState<ExportFormat>("CSV");
  const [chosen, setChosen] = useState<readonly string[]>(USUAL);
  const [isEscaped, setIsEscaped] = useState(false);
  const [{ fetching }, ask] = useMutation(EXPORT);
  const [problem, setProblem] = useState<string | null>(null);

  async function begin() {
    const fields = columns.filter((it) => chosen.includes(it));
    const { data, error } = await ask({
      input: { list: { segmentId }, format, fields, escapeFormulas: isEscaped && format === "CSV" },
    });
    const answer = data?.exportList;
    const isDone = answer?.__typename === "ExportListPayload";
    setProblem(isDone ? null : (answer?.message ?? error?.graphQLErrors[0]?.message ?? "The API does not answer."));
    if (isDone) keepExport({ id: answer.export.id, segmentId, downloadUrl: answer.downloadUrl });
  }

  return (
    <>
      <fieldset className="picker">
        <legend>Columns</legend>
        <div className="ticks all">
          {columns.map((it) => (
            <label key={it}>
              <input
                type="checkbox"
                checked={chosen.includes(it)}
                onChange={() => setChosen(chosen.includes(it) ? chosen.filter((one) => one !== it) : [...chosen, it])}
              />
              {it.replace("field:", "")}
            </label>
          ))}
        </div>
      </fieldset>
      <div className="options">
        <label htmlFor={id}>
          Format
          <select id={id} value={format} onChange={(event) => setFormat(event.target.value as ExportFormat)}>
            <option value="CSV">CSV</option>
            <option value="NDJSON">NDJSON</option>
          </select>
        </label>
        {format === "CSV" && (
          <label className="check">
            <input type="checkbox" checked={isEscaped} onChange={(event) => setIsEscaped(event.target.checked)} />
            Safe to open in a spreadsheet
          </label>
        )}
      </div>
      <p className="problem" role="alert">
        {problem}
      </p>
      <p>
        <button
          type="button"
          className="primary"
          aria-disabled={fetching || chosen.length === 0}
          onClick={() => !fetching && chosen.length > 0 && void begin()}
        >
          Write the file
        </button>
      </p>
    </>
  );
}
