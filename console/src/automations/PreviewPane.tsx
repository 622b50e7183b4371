import { issuesOf } from "../builder/usePreview";
import type { Draft } from "./draft";
import { LoopWay } from "./LoopWay";
import { DAYS, useLately, type Preview } from "./useAutomationPreview";

type PreviewPaneProps = { preview: Preview; draft: Draft; isNew: boolean };

/** What the automation does in a sentence, how many people are in its list now, and how many moved lately. */
export function PreviewPane({ preview, draft, isNew }: PreviewPaneProps) {
  const { answer, error, isStale } = preview;
  const isWaiting = isStale && answer === null;
  return (
    <section className="preview" aria-label="Preview" aria-busy={isStale && answer !== null}>
      <p className="quiet" role="status">
        {isWaiting ? "Choose a list and an action to see for whom it would act." : isStale ? "Counting…" : "At present"}
      </p>
      {error && <p className="problem">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</p>}
      {answer?.__typename === "AutomationPreview" && (
        <Shown answer={answer} isStale={isStale} draft={draft} isNew={isNew} />
      )}
      {answer?.__typename === "InvalidInput" && (
        <ul className="problem" role="alert">
          {issuesOf(answer).map((it) => (
            <li key={it.message + it.path.join()}>{it.message}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

type ShownProps = {
  answer: Preview["answer"] & { __typename: "AutomationPreview" };
  isStale: boolean;
  draft: Draft;
  isNew: boolean;
};

function Shown({ answer, isStale, draft, isNew }: ShownProps) {
  const { summary, existing, margin, sample, way } = answer;
  const acts = draft.isForExisting ? "It acts for them, too." : "It does not act for them.";
  return (
    <div className={isStale ? "shown stale" : "shown"}>
      <p className="figure" aria-live="polite">
        <strong className="number">{existing.toLocaleString()}</strong>{" "}
        <span className="quiet">
          {margin > 0 ? `± ${margin.toLocaleString()} ` : ""}
          {existing === 1 ? "person is" : "people are"} in the list now.{" "}
          {isNew ? acts : "Saving starts nothing for them."}
        </span>
      </p>
      <Lately draft={draft} />
      <p className="summary">{summary}</p>
      {/* Of an edit, the API would see a second automation beside the present one. */}
      {isNew && way.length > 0 && <LoopWay way={way} />}
      {sample.length > 0 && (
        <ul className="sample" aria-label="Examples">
          {sample.map((it) => (
            <li key={it.id}>{it.email ?? it.externalId ?? it.id}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** How often the automation would have started lately. A hold and the rules make it act less often. */
function Lately({ draft }: { draft: Draft }) {
  const lately = useLately(draft.list);
  if (lately === null) return null;
  const moves = { ENTERED: lately.entered, LEFT: lately.left, BOTH: lately.entered + lately.left }[draft.on];
  const verb = { ENTERED: "entered", LEFT: "left", BOTH: "entered or left" }[draft.on];
  const perDay = (moves / DAYS).toLocaleString(undefined, { maximumFractionDigits: 1 });
  return (
    <p className="quiet">
      In the seven days before today (UTC), people {verb} {perDay} times a day.
    </p>
  );
}
