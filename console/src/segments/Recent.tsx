import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { toPerson } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { CAUSES, shownTime } from "../words";
import { useRefetch } from "./useRefetch";

const RECENT = graphql(`
  query Recent($id: ID!) {
    segment(by: { id: $id }) {
      id
      membershipChanges(first: 6) {
        edges {
          node {
            id
            kind
            cause
            occurredAt
            subscriber {
              id
              email
              phone
              externalId
            }
          }
        }
      }
    }
  }
`);

/** Who entered and left last, also before this page was opened. It is read again when `version` changes. */
export function Recent({ segmentId, version }: { segmentId: string; version: string }) {
  const variables = { id: segmentId };
  const [{ data, error }, retry] = useQuery({ query: RECENT, variables, requestPolicy: "cache-and-network" });
  useRefetch(retry, version);
  useShown(RECENT, variables);
  const latest = data?.segment?.membershipChanges.edges.map((it) => it.node);

  if (error && !latest) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  return (
    <section className="recent" aria-labelledby="recent-heading" aria-busy={!latest}>
      <h3 id="recent-heading">Latest changes</h3>
      {!latest && <p className="quiet">Loading…</p>}
      {latest?.length === 0 && <p className="quiet">Nobody has entered or left yet.</p>}
      <ul>
        {latest?.map(({ id, kind, cause, occurredAt, subscriber }) => (
          <li key={id}>
            <span className={kind === "ENTERED" ? "entered" : "left"} aria-hidden="true">
              {kind === "ENTERED" ? "→" : "←"}
            </span>{" "}
            {subscriber ? (
              <a href={toPerson(subscriber.id)}>{subscriber.email ?? subscriber.phone ?? subscriber.externalId ?? subscriber.id}</a>
            ) : (
              "An erased person"
            )}{" "}
            {kind === "ENTERED" ? "entered" : "left"}{" "}
            <span className="quiet">
              {CAUSES[cause]} · <time dateTime={occurredAt}>{shownTime(occurredAt)}</time>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
