import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { useStatus } from "../api/status";
import { graphql } from "../api/graphql";
import { Growing, More, type OnMore } from "../lists/Growing";
import { NEW_AUTOMATION, toAutomation } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { Figures, useYesterday } from "./Figures";
import { useRuns } from "./useRuns";

const AUTOMATIONS = graphql(`
  query Automations($from: DateTime!, $after: String) {
    automations(first: 20, after: $after) {
      edges {
        node {
          id
          name
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
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** All automations by name, page by page: what each does, and what became of its runs of the last day. */
export function AutomationList() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Automations
        </h2>
        <a className="button" href={NEW_AUTOMATION}>
          New automation
        </a>
      </header>
      <Growing>{(after, onMore) => <Page after={after} onMore={onMore} />}</Growing>
    </>
  );
}

/** An empty list names no type, so that the cache would not know that the first automation belongs to it. */
const OF_AUTOMATIONS = { additionalTypenames: ["Automation"] };

function Page({ after, onMore }: { after: string | null; onMore: OnMore }) {
  const from = useYesterday();
  const [{ data, error }, retry] = useQuery({
    query: AUTOMATIONS,
    variables: { from, after },
    requestPolicy: "cache-and-network",
    context: OF_AUTOMATIONS,
  });
  useShown(AUTOMATIONS, { from, after });
  useRefetch(retry, useRuns(null));
  useRefetch(retry, useStatus().phase);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="automations" />;
  const { edges, pageInfo } = data.automations;
  if (edges.length === 0) return <p className="empty">There are no automations yet. Create the first one.</p>;
  return (
    <>
      <ul className="automations">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <p>
              <a href={toAutomation(node.id)}>{node.name}</a>
              {node.state === "PAUSED" && <em className="paused"> paused</em>}
            </p>
            <p className="summary">{node.summary}</p>
            <Figures figures={node.figures} />
          </li>
        ))}
      </ul>
      <More of="automations" onMore={onMore} info={pageInfo} />
    </>
  );
}
