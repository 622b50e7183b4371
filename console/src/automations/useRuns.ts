/** The runs of automations while they happen. */

import { useEffect, useState } from "react";
import { useClient } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { RUN, type Run } from "./run";

const RUNS = withFragments(
  graphql(`
  subscription Runs($ids: [ID!]) {
    automationRuns(automationIds: $ids) {
      ...Run
    }
  }
`),
  RUN,
);

const MOST = 50;
const NOTHING: ReadonlyMap<string, Run> = new Map();

/** The latest runs that began or ended since the component is shown: of one automation, or of all for null. Each update makes a new map. */
export function useRuns(id: string | null): ReadonlyMap<string, Run> {
  const client = useClient();
  const [runs, setRuns] = useState(NOTHING);
  useEffect(() => {
    const { unsubscribe } = client.subscription(RUNS, { ids: id === null ? null : [id] }).subscribe(({ data }) => {
      if (data) setRuns((known) => withRun(known, data.automationRuns));
    });
    return unsubscribe;
  }, [client, id]);
  return runs;
}

function withRun(known: ReadonlyMap<string, Run>, run: Run): ReadonlyMap<string, Run> {
  const others = [...known].filter(([id]) => id !== run.id);
  return new Map([...others, [run.id, run] as const].slice(-MOST));
}
