import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Pager, usePages } from "../lists/Pager";
import { choose, useChoices } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { ForAdmins } from "./access";
import { Administered } from "./Sections";
import { TrailEntry } from "./TrailEntry";
import { kindsOf, OBJECTS, type ObjectKind } from "./trailWords";

const TRAIL = graphql(`
  query AuditTrail($kinds: [AuditKind!], $object: ID, $after: String) {
    auditTrail(kinds: $kinds, object: $object, first: 20, after: $after) {
      edges {
        node {
          id
          at
          kind
          actor {
            kind
            name
          }
          objectId
          objectName
          before
          after
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const SHOWN = (Object.keys(OBJECTS) as ObjectKind[]).filter((it) => it !== "other");

/** Who changed what, the latest first. The address holds which objects are shown. */
export function Trail() {
  const choices = useChoices();
  const shown = SHOWN.find((it) => it === choices.get("about")) ?? null;
  const object = choices.get("object");
  return (
    <Administered title="Audit trail">
      <ForAdmins>
        <div className="find">
          <select
            aria-label="What was changed"
            value={shown ?? ""}
            onChange={({ target: { value } }) => choose(new URLSearchParams(value ? { about: value } : {}))}
          >
            <option value="">Everything</option>
            {SHOWN.map((value) => (
              <option key={value} value={value}>
                {OBJECTS[value].many}
              </option>
            ))}
          </select>
          {object !== null && (
            <button type="button" onClick={() => choose(new URLSearchParams())}>
              Show the changes of all objects
            </button>
          )}
        </div>
        <TrailPage about={shown} object={object} />
      </ForAdmins>
    </Administered>
  );
}

function TrailPage({ about, object }: { about: ObjectKind | null; object: string | null }) {
  const pages = usePages(`${about} ${object}`);
  const variables = { kinds: about && kindsOf(about), object, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({ query: TRAIL, variables, requestPolicy: "network-only" });
  useShown(TRAIL, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the audit trail" />;
  const { edges, pageInfo } = data.auditTrail;
  if (edges.length === 0 && pages.isFirst)
    return (
      <p className="empty" role="status">
        {fetching ? "Searching…" : "No such change is recorded."}
      </p>
    );
  return (
    <section aria-label="Changes of definitions">
      <ol className="cards">
        {edges.map(({ node }) => (
          <TrailEntry key={node.id} entry={node} isAlone={object !== null} />
        ))}
      </ol>
      <Pager pages={pages} info={pageInfo} isReading={fetching} />
    </section>
  );
}
