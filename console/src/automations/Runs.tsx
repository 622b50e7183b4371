import { useQuery } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { useStatus } from "../api/status";
import type { RunState } from "../gql/graphql";
import { Pager, usePages } from "../lists/Pager";
import { choose, useChoices } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { RUN_STATES } from "../words";
import { RUN, type Run } from "./run";
import { RunsTable } from "./RunsTable";

const RUNS = withFragments(
  graphql(`
  query AutomationRuns($id: ID!, $state: [RunState!], $after: String) {
    automation(by: { id: $id }) {
      id
      runs(state: $state, first: 20, after: $after) {
        edges {
          node {
            ...Run
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`),
  RUN,
);

const PAGE = 20;

type RunsProps = { id: string; /** The runs of which the page has heard since it is open. */ heard: ReadonlyMap<string, Run> };

/** The runs of an automation, the latest first, with a choice of states that the address holds. */
export function Runs({ id, heard }: RunsProps) {
  const chosen = useChoices().get("state") ?? "";
  const state = chosen in RUN_STATES ? (chosen as RunState) : null;
  return (
    <section aria-label="Runs">
      <header className="titled">
        <h3>Runs</h3>
        <select
          aria-label="State of the runs"
          value={state ?? ""}
          onChange={({ target: { value } }) => choose(new URLSearchParams(value ? { state: value } : {}))}
        >
          <option value="">All states</option>
          {Object.entries(RUN_STATES).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </header>
      <RunPage id={id} state={state} heard={heard} />
    </section>
  );
}

/** The first page contains what was heard meanwhile. It and all others are read again when there is news. */
function RunPage({ id, state, heard }: RunsProps & { state: RunState | null }) {
  const pages = usePages(`${id} ${state}`);
  const variables = { id, state: state && [state], after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({ query: RUNS, variables, requestPolicy: "cache-and-network" });
  useShown(RUNS, variables);
  useRefetch(retry, heard);
  useRefetch(retry, useStatus().phase); // runs that happened while the socket was away are read
  const page = data?.automation?.runs;

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page) return <Waiting for="runs" />;
  const read = page.edges.map((it) => it.node);
  const runs = pages.isFirst ? merged(read, heard, state) : read;
  if (runs.length === 0)
    return (
      <p className="empty" role="status">
        {state === null ? "No runs yet. They appear here as they happen." : `No run is ${RUN_STATES[state]}.`}
      </p>
    );
  return (
    <>
      <RunsTable runs={runs} />
      <Pager pages={pages} info={page.pageInfo} isReading={fetching && !data} />
    </>
  );
}

/**
 * The runs that were read and those that were heard of in this state, the latest first, and not more than a page of them: the others are on
 * the next one, as soon as it is read. Of the same run, the one that has ended counts. Many people can enter at the same instant; their runs
 * are in the order in which they are read, and before it, the one that was heard of last comes first.
 */
function merged(read: readonly Run[], heard: ReadonlyMap<string, Run>, state: RunState | null): Run[] {
  const known = new Set(read.map((it) => it.id));
  const fresh = [...heard.values()].filter((it) => !known.has(it.id)).toReversed();
  const latest = (run: Run) => {
    const told = heard.get(run.id);
    return told === undefined || told.state === "WAITING" ? run : told;
  };
  return [...fresh, ...read.map(latest)]
    .filter((it) => state === null || it.state === state)
    .sort((one, other) => other.startedAt.localeCompare(one.startedAt))
    .slice(0, PAGE);
}
