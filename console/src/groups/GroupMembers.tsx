import { useRef, useState } from "react";
import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useStatus } from "../api/status";
import { problemOf } from "../automations/saving";
import { Pager, usePages } from "../lists/Pager";
import { toPerson } from "../paths";
import { fullName, keyOf } from "../people/names";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";

const MEMBERS = graphql(`
  query GroupMembers($id: ID!, $after: String) {
    group(by: { id: $id }) {
      id
      members(first: 20, after: $after) {
        edges {
          addedAt
          node {
            id
            email
            phone
            externalId
            firstName
            lastName
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
const REMOVE = graphql(`
  mutation RemoveFromGroup($input: GroupMembersInput!) {
    removeFromGroup(input: $input) {
      __typename
      ... on GroupMembersPayload {
        changed
        group {
          id
          memberCount
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);

type GroupMembersProps = {
  groupId: string;
  /** The page is read again when it changes. */
  version: number;
  onRemoved: () => void;
};

/** Who is in the group, page by page. Those who were added last come first. */
export function GroupMembers({ groupId, version, onRemoved }: GroupMembersProps) {
  const pages = usePages(groupId);
  const variables = { id: groupId, after: pages.after };
  const [{ data, error, fetching }, retry] = useQuery({
    query: MEMBERS,
    variables,
    requestPolicy: "cache-and-network",
  });
  const { remove, problem } = useRemoving(groupId, onRemoved);
  const title = useRef<HTMLHeadingElement>(null);
  useRefetch(retry, version);
  useRefetch(retry, useStatus().phase); // as the group itself
  useShown(MEMBERS, variables);
  const page = data?.group?.members;

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page) return <Waiting for="members" />;
  return (
    <section aria-label="Members">
      <h3 ref={title} tabIndex={-1}>
        Members
      </h3>
      <p className="problem" role="alert">
        {problem}
      </p>
      {page.edges.length === 0 && pages.isFirst ? (
        <p className="empty">Nobody is in this group. Find people above to add them.</p>
      ) : (
        <>
          <div className="table folds" tabIndex={0} role="region" aria-label="Table of members">
            <table>
              <thead>
                <tr>
                  <th scope="col">Person</th>
                  <th scope="col">In it since</th>
                  <th scope="col">
                    <span className="unseen">Removal</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {page.edges.map(({ node, addedAt }) => (
                  <tr key={node.id}>
                    <th scope="row">
                      <a href={toPerson(node.id)}>{keyOf(node)}</a> <span className="quiet">{fullName(node)}</span>
                    </th>
                    <td>
                      <time dateTime={addedAt}>{shownTime(addedAt)}</time>
                    </td>
                    <td>
                      <button
                        type="button"
                        className="plain"
                        aria-label={`Remove ${keyOf(node)} from the group`}
                        onClick={() => {
                          title.current?.focus(); // the row is about to disappear
                          remove(node.id);
                        }}
                      >
                        Remove
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Pager pages={pages} info={page.pageInfo} isReading={fetching} />
        </>
      )}
    </section>
  );
}

function useRemoving(groupId: string, onRemoved: () => void) {
  const [problem, setProblem] = useState<string | null>(null);
  const [, ask] = useMutation(REMOVE);

  async function remove(id: string) {
    const { data, error } = await ask({ input: { groupId, subscribers: [{ id }] } });
    const answer = data?.removeFromGroup;
    if (answer?.__typename === "GroupMembersPayload") {
      setProblem(null);
      onRemoved();
    } else setProblem(answer?.message ?? problemOf(error));
  }

  return { remove: (id: string) => void remove(id), problem };
}
