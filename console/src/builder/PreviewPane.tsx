import { counted } from "../words";
import { issuesOf, type Preview } from "./usePreview";

type PreviewPaneProps = { preview: Preview; isSaid: boolean };

/** The number of people, the condition in a sentence, warnings, and some of the people. */
export function PreviewPane({ preview, isSaid }: PreviewPaneProps) {
  const { answer, error, isStale } = preview;
  return (
    <section className="preview" aria-label="Preview" aria-busy={isStale && isSaid}>
      <p className="quiet" role="status">
        {!isSaid ? "Not finished: the condition is not complete." : isStale ? "Counting…" : "At present, this matches"}
      </p>
      {error && <p className="problem">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</p>}
      {answer?.__typename === "SegmentPreview" && <Shown answer={answer} isStale={isStale} />}
      {answer && answer.__typename !== "SegmentPreview" && (
        <ul className="problem" role="alert">
          {issuesOf(answer).map((it) => (
            <li key={it.message + it.path.join()}>{it.message}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

type ShownProps = { answer: Preview["answer"] & { __typename: "SegmentPreview" }; isStale: boolean };

function Shown({ answer, isStale }: ShownProps) {
  const { memberCount, margin, summary, warnings, sample } = answer;
  return (
    <div className={isStale ? "shown stale" : "shown"}>
      <p className="figure" aria-live="polite">
        <strong className="number">{memberCount.toLocaleString()}</strong>{" "}
        <span className="quiet">
          {margin > 0 ? `± ${margin.toLocaleString()} ` : ""}
          {memberCount === 1 ? "person" : "people"}
        </span>
      </p>
      <p className="summary">{summary}</p>
      {warnings.map((it) => (
        <p key={it} className="warning">
          {it}
        </p>
      ))}
      {sample.length > 0 && (
        <>
          <h3>{counted(sample.length, "example", "examples")}</h3>
          <ul className="sample">
            {sample.map((it) => (
              <li key={it.id}>{it.email ?? it.externalId ?? it.id}</li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
