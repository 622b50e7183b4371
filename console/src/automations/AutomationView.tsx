import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { useStatus } from "../api/status";
import { graphql } from "../api/graphql";
import type { AutomationQuery } from "../gql/graphql";
import { toEditing } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { DeleteButton } from "./DeleteButton";
import { Figures, useYesterday } from "./Figures";
import { PauseButtons } from "./PauseButtons";
import { RunsTable } from "./RunsTable";
import { useRuns, type Run } from "./useRuns";

const AUTOMATION = graphql(`
  query Automation($id: ID!, $from: DateTime!) {
    automation(by: { id: $id }) {
      id
      name
      description
      summary
      state
      figures(from: $from) {
        done
        waiting
        cancelled
        skipped
        failed
        cutOff
      }
      runs(first: 20) {
        edges {
          node {
            id
            state
            reason
            kind
            startedAt
            dueAt
            subscriberId
            subscriber {
              id
              email
              externalId
            }
          }
        }
      }
    }
  }
`);

const MOST = 50;

/** One automation: what it does, its figures, and its runs as they happen. */
export function AutomationView({ id }: { id: string }) {
  const from = useYesterday();
  const [{ data, error }, retry] = useQuery({
    query: AUTOMATION,
    variables: { id, from },
    requestPolicy: "cache-and-network",
  });
  useShown(AUTOMATION, { id, from });
  const heard = useRuns(id);
  useRefetch(retry, heard);
  useRefetch(retry, useStatus().phase); // runs that happened while the socket was away are read

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading…
      </p>
    );
  if (!data.automation) return <p className="empty">This automation does not exist, or no longer exists.</p>;
  return <Shown automation={data.automation} heard={heard} />;
}

type ShownProps = { automation: NonNullable<AutomationQuery["automation"]>; heard: ReadonlyMap<string, Run> };

function Shown({ automation, heard }: ShownProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const runs = merged(
    automation.runs.edges.map((it) => it.node),
    heard,
  );

  return (
    <article>
      <header className="subject">
        <h2 ref={heading} tabIndex={-1}>
          {automation.name}
        </h2>
        <p className="summary">{automation.summary}</p>
        {automation.description && <p className="quiet">{automation.description}</p>}
        <Figures figures={automation.figures} />
        <div className="pausing">
          <PauseButtons id={automation.id} state={automation.state} />
          <a className="button" href={toEditing(automation.id)}>
            Edit
          </a>
          <DeleteButton id={automation.id} name={automation.name} />
        </div>
      </header>
      {runs.length === 0 ? (
        <p className="empty">No runs yet. They appear here as they happen.</p>
      ) : (
        <RunsTable runs={runs} />
      )}
    </article>
  );
}

/** The runs that were read and those that were heard of, the latest first. Of the same run, the one that has ended counts. */
function merged(read: readonly Run[], heard: ReadonlyMap<string, Run>): Run[] {
  const runs = new Map(heard);
  for (const run of read) if (runs.get(run.id)?.state === "WAITING" || !runs.has(run.id)) runs.set(run.id, run);
  return [...runs.values()].sort((one, other) => other.startedAt.localeCompare(one.startedAt)).slice(0, MOST);
}
