import { useId, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { PersonGroupsQuery } from "../gql/graphql";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { shownTime } from "../words";
import { useKept } from "./useKept";
import type { PersonChange } from "./usePersonChanges";

const PERSON_GROUPS = graphql(`
  query PersonGroups($id: ID!, $after: String) {
    subscriber(by: { id: $id }) {
      id
      groups(first: 50, after: $after) {
        edges {
          addedAt
          node {
            id
            name
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

type GroupsProps = { id: string; changes: readonly PersonChange[] };

/** The groups that contain the person. */
export function Groups(props: GroupsProps) {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>In these groups</h3>
      {starts.map((after, index) => (
        <GroupsPage
          key={after}
          {...props}
          after={after}
          onMore={index === starts.length - 1 ? (end) => setStarts([...starts, end]) : null}
        />
      ))}
    </section>
  );
}

type Edge = NonNullable<PersonGroupsQuery["subscriber"]>["groups"]["edges"][number];
type PageProps = GroupsProps & { after: string | null; onMore: ((end: string) => void) | null };

const NONE: readonly Edge[] = [];
/** An empty list names no type, so that the cache would not know that the first group belongs to it. */
const OF_GROUPS = { additionalTypenames: ["Group"] };

function GroupsPage({ id, changes, after, onMore }: PageProps) {
  const [{ data, error }, retry] = useQuery({
    query: PERSON_GROUPS,
    variables: { id, after },
    requestPolicy: "cache-and-network",
    context: OF_GROUPS,
  });
  useShown(PERSON_GROUPS, { id, after });
  useRefetch(retry, changes);
  const page = data?.subscriber?.groups;
  const kept = useKept(page?.edges ?? NONE, (it) => it.node.id);

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page)
    return (
      <p className="empty" aria-busy="true">
        Loading groups…
      </p>
    );
  if (kept.length === 0) return <p className="empty">They are in no group.</p>;
  const { hasNextPage, endCursor } = page.pageInfo;
  return (
    <>
      <ul className="entries">
        {kept.map(({ entry: { node, addedAt }, isGone }) => (
          <li key={node.id} className="entry-head">
            <strong>{node.name}</strong>
            <span className="quiet">
              {isGone ? <em className="gone">left meanwhile</em> : <time dateTime={addedAt}>since {shownTime(addedAt)}</time>}
            </span>
          </li>
        ))}
      </ul>
      {onMore && hasNextPage && endCursor && (
        <button type="button" onClick={() => onMore(endCursor)}>
          More groups
        </button>
      )}
    </>
  );
}
