import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { toImport } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";
import { useKeptIds } from "./kept";
import { numbersOf, STATES } from "./Progress";
import { hasEnded } from "./useImport";
import { Wizard } from "./Wizard";

const PAUSE_MILLISECONDS = 2000;

const PAST = graphql(`
  query PastImports($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on Import {
        state
        dryRun
        rowsRead
        created
        updated
        rejected
        createdAt
      }
    }
  }
`);

/** A new import, step by step, and those that were started in this browser. */
export function Imports() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article className="answers">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Import people
        </h2>
      </header>
      <Wizard />
      <section aria-labelledby="past-imports">
        <h3 id="past-imports">Imports from this browser</h3>
        <Past />
      </section>
    </article>
  );
}

/** While one of them goes on, they are read again every two seconds. */
function Past() {
  const ids = useKeptIds();
  const [{ data, error }, retry] = useQuery({
    query: PAST,
    variables: { ids },
    pause: ids.length === 0,
    requestPolicy: "cache-and-network",
  });
  useShown(PAST, ids.length > 0 ? { ids } : null);
  const found = (data?.nodes ?? []).flatMap((it) => (it?.__typename === "Import" ? [it] : []));
  const isGoing = found.some((it) => !hasEnded(it));

  useEffect(() => {
    if (!isGoing) return;
    const timer = setInterval(() => retry({ requestPolicy: "network-only" }), PAUSE_MILLISECONDS);
    return () => clearInterval(timer);
  }, [isGoing, retry]);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data && ids.length > 0)
    return (
      <p className="empty" aria-busy="true">
        Loading imports…
      </p>
    );
  if (found.length === 0) return <p className="empty">No import was started here yet. The API lists no imports of others.</p>;
  return (
    <ul className="imports">
      {found.map((it) => (
        <li key={it.id}>
          <a href={toImport(it.id)}>
            {it.dryRun ? "Check" : "Import"} of {shownTime(it.createdAt)}
          </a>{" "}
          <span className={`run ${it.state.toLowerCase()}`}>{STATES[it.state]}</span>
          <p className="quiet">{numbersOf(it)}</p>
        </li>
      ))}
    </ul>
  );
}
