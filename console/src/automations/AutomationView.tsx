import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { HistoryLink } from "../administration/HistoryLink";
import { graphql } from "../api/graphql";
import { useStatus } from "../api/status";
import type { AutomationQuery } from "../gql/graphql";
import { ListLink } from "../ListLink";
import { AUTOMATIONS, toEditing } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { DeleteAutomation } from "./DeleteAutomation";
import { Figures, useYesterday } from "./Figures";
import { PauseButtons } from "./PauseButtons";
import { Receivers } from "./Receivers";
import type { Run } from "./run";
import { Runs } from "./Runs";
import { actionsOf } from "./simple";
import { useRuns } from "./useRuns";

const AUTOMATION = graphql(`
  query Automation($id: ID!, $from: DateTime!) {
    automation(by: { id: $id }) {
      id
      name
      description
      summary
      state
      actions
      segment {
        id
        name
      }
      group {
        id
        name
      }
      figures(from: $from) {
        done
        waiting
        cancelled
        skipped
        failed
        cutOff
      }
    }
  }
`);

/** One automation: what it does, its figures, where its webhooks go, and its runs as they happen. */
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
  useRefetch(retry, useStatus().phase); // the figures count runs that happened while the socket was away

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the automation" />;
  if (!data.automation)
    return (
      <p className="empty">
        This automation does not exist, or no longer exists. <a href={AUTOMATIONS}>All automations</a>
      </p>
    );
  return <Shown automation={data.automation} heard={heard} />;
}

type ShownProps = { automation: NonNullable<AutomationQuery["automation"]>; heard: ReadonlyMap<string, Run> };

function Shown({ automation, heard }: ShownProps) {
  const { id, name, summary, description, figures, state, segment, group } = automation;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);

  return (
    <article className="parts">
      <header className="subject">
        <h2 ref={heading} tabIndex={-1}>
          {name}
        </h2>
        <p className="summary">{summary}</p>
        {description && <p className="quiet">{description}</p>}
        <p className="quiet">
          It watches <ListLink segment={segment} group={group} />.
        </p>
        <Figures figures={figures} />
        <div className="pausing">
          <PauseButtons id={id} state={state} />
          <a className="button" href={toEditing(id)}>
            Edit
          </a>
          <DeleteAutomation id={id} name={name} />
          <HistoryLink id={id} />
        </div>
      </header>
      <Receivers ids={actionsOf(automation).flatMap((it) => it.webhook?.endpoint ?? [])} />
      <Runs id={id} heard={heard} />
    </article>
  );
}
