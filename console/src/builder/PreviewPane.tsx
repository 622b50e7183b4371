import type { ConditionInput } from "../gql/graphql";
import { counted } from "../words";
import { Funnel } from "./Funnel";
import { issuesOf, type Preview } from "./usePreview";

type PreviewPaneProps = {
  preview: Preview;
  /** Null while it is not complete. */
  condition: ConditionInput | null;
  /** Whether the preview compares with a segment that exists. */
  isEdit: boolean;
};

/** The number of people, the condition in a sentence, warnings, some of the people, and how many each part of the condition lets through. */
export function PreviewPane({ preview, condition, isEdit }: PreviewPaneProps) {
  const { answer, error, isStale } = preview;
  const isSaid = condition !== null;
  return (
    <section className="preview" aria-label="Preview" aria-busy={isStale && isSaid}>
      <p className="quiet" role="status">
        {!isSaid ? "Not finished: the condition is not complete." : isStale ? "Counting…" : "At present, this matches"}
      </p>
      {error && <p className="problem">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</p>}
      {answer?.__typename === "SegmentPreview" && <Shown answer={answer} isStale={isStale} isEdit={isEdit} />}
      {answer && answer.__typename !== "SegmentPreview" && (
        <ul className="problem" role="alert">
          {issuesOf(answer).map((it) => (
            <li key={it.message + it.path.join()}>{it.message}</li>
          ))}
        </ul>
      )}
      <Funnel condition={condition} />
    </section>
  );
}

type ShownProps = { answer: Preview["answer"] & { __typename: "SegmentPreview" }; isStale: boolean; isEdit: boolean };

function Shown({ answer, isStale, isEdit }: ShownProps) {
  const { memberCount, margin, summary, warnings, sample, wouldEnter, wouldLeave } = answer;
  return (
    <div className={isStale ? "shown stale" : "shown"}>
      <p className="figure" aria-live="polite">
        <strong className="number">{memberCount.toLocaleString()}</strong>{" "}
        <span className="quiet">
          {margin > 0 ? `± ${margin.toLocaleString()} ` : ""}
          {memberCount === 1 ? "person" : "people"}
        </span>
      </p>
      {isEdit && (
        <p>
          If you save it, <span className="entered">{counted(wouldEnter ?? 0, "person enters", "people enter")}</span> and{" "}
          <span className="left">{counted(wouldLeave ?? 0, "person leaves", "people leave")}</span>.
        </p>
      )}
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
