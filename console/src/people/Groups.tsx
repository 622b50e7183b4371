import { useId } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { Growing, type OnMore } from "../lists/Growing";
import { toGroup } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { shownTime } from "../words";
import { KeptPage, Since } from "./KeptPage";
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
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>In these groups</h3>
      <Growing>{(after, onMore) => <GroupsPage {...props} after={after} onMore={onMore} />}</Growing>
    </section>
  );
}

/** An empty list names no type, so that the cache would not know that the first group belongs to it. */
const OF_GROUPS = { additionalTypenames: ["Group"] };

function GroupsPage({ id, changes, after, onMore }: GroupsProps & { after: string | null; onMore: OnMore }) {
  const [{ data, error }, retry] = useQuery({
    query: PERSON_GROUPS,
    variables: { id, after },
    requestPolicy: "cache-and-network",
    context: OF_GROUPS,
  });
  useShown(PERSON_GROUPS, { id, after });
  useRefetch(retry, changes);
  const asked = { page: data?.subscriber?.groups, error, retry, onMore };
  return (
    <KeptPage of="groups" none="They are in no group." {...asked}>
      {({ node, addedAt }, isGone) => (
        <li key={node.id} className="entry-head">
          <a href={toGroup(node.id)}>{node.name}</a>
          <span className="quiet">
            <Since instant={addedAt} shown={shownTime(addedAt)} isGone={isGone} />
          </span>
        </li>
      )}
    </KeptPage>
  );
}
