import { useEffect, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { toImport } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { circumstancesOf, nameOf, numbersOf, STATES } from "./Progress";
import { isOver } from "./useImport";

const PAUSE_MILLISECONDS = 2000;

const IMPORTS = graphql(`
  query PastImports($after: String) {
    imports(first: 20, after: $after) {
      edges {
        node {
          id
          state
          dryRun
          fileName
          startedBy
          createdAt
          rowsRead
          created
          updated
          rejected
          undo {
            state
          }
          groups {
            id
            name
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

/** An empty list names no type, so that the cache would not know that the first import belongs to it. */
const OF_IMPORTS = { additionalTypenames: ["Import"] };

/** All imports, the latest first, page by page. */
export function PastImports() {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  return starts.map((after, index) => (
    <Page key={after} after={after} onMore={index === starts.length - 1 ? (end) => setStarts([...starts, end]) : null} />
  ));
}

type PageProps = { after: string | null; onMore: ((end: string) => void) | null };

/** While one of them goes on, the page is read again every two seconds. */
function Page({ after, onMore }: PageProps) {
  const [{ data, error }, retry] = useQuery({
    query: IMPORTS,
    variables: { after },
    requestPolicy: "cache-and-network",
    context: OF_IMPORTS,
  });
  useShown(IMPORTS, { after });
  const isGoing = data?.imports.edges.some(({ node }) => !isOver(node)) ?? false;

  useEffect(() => {
    if (!isGoing) return;
    const timer = setInterval(() => retry({ requestPolicy: "network-only" }), PAUSE_MILLISECONDS);
    return () => clearInterval(timer);
  }, [isGoing, retry]);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading imports…
      </p>
    );
  const { edges, pageInfo } = data.imports;
  if (edges.length === 0) return <p className="empty">Nobody has started an import yet. Choose a file above.</p>;
  return (
    <>
      <ul className="imports">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <p>
              <a href={toImport(node.id)}>{nameOf(node)}</a>{" "}
              <span className={`run ${node.state.toLowerCase()}`}>{STATES[node.state]}</span>
              {node.undo && (
                <>
                  {" "}
                  <span className="run undone">{node.undo.state === "DONE" ? "undone" : "is being undone"}</span>
                </>
              )}
            </p>
            <p className="quiet">{numbersOf(node)}</p>
            <p className="quiet">{circumstancesOf(node)}</p>
          </li>
        ))}
      </ul>
      {onMore && pageInfo.hasNextPage && pageInfo.endCursor && (
        <button type="button" onClick={() => onMore(pageInfo.endCursor!)}>
          More imports
        </button>
      )}
    </>
  );
}
