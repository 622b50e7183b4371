import { useId, useState } from "react";
import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { useTyped } from "../lists/useTyped";
import { fullName, keyOf } from "../people/names";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { counted } from "../words";

const FOUND = graphql(`
  query FoundPeople($search: String) {
    subscribers(search: $search, first: 5) {
      edges {
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
      }
    }
  }
`);
const ADD = graphql(`
  mutation AddToGroup($input: GroupMembersInput!) {
    addToGroup(input: $input) {
      __typename
      ... on GroupMembersPayload {
        changed
        group {
          id
          memberCount
        }
        rejects {
          message
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);

type AddPeopleProps = { groupId: string; onAdded: () => void };

/** Finds people and adds them to the group. */
export function AddPeople({ groupId, onAdded }: AddPeopleProps) {
  const [search, setSearch] = useState("");
  const [typed, setTyped] = useTyped(search, (text) => setSearch(text.trim()));
  const [told, setTold] = useState("");
  const [, ask] = useMutation(ADD);
  const title = useId();

  async function add(id: string, name: string) {
    const { data, error } = await ask({ input: { groupId, subscribers: [{ id }] } });
    const answer = data?.addToGroup;
    if (answer?.__typename !== "GroupMembersPayload") return setTold(answer?.message ?? problemOf(error) ?? "");
    setTold(answer.rejects[0]?.message ?? (answer.changed > 0 ? `${name} is in the group now.` : `${name} is in the group already.`));
    onAdded();
  }

  return (
    <section aria-labelledby={title}>
      <header className="titled">
        <h3 id={title}>Add people</h3>
        <input
          type="search"
          aria-label="Find people to add"
          placeholder="Name, email, phone or id"
          value={typed}
          onChange={(event) => (setTyped(event.target.value), setTold(""))}
        />
      </header>
      {search !== "" && <Found search={search} onAdd={(id, name) => void add(id, name)} />}
      <p className="quiet" role="status">
        {told}
      </p>
    </section>
  );
}

function Found({ search, onAdd }: { search: string; onAdd: (id: string, name: string) => void }) {
  const [{ data, error, fetching }, retry] = useQuery({ query: FOUND, variables: { search }, requestPolicy: "cache-and-network" });
  useShown(FOUND, { search });
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data || (fetching && data.subscribers.edges.length === 0))
    return (
      <p className="empty" aria-busy="true">
        Searching…
      </p>
    );
  const { edges, pageInfo } = data.subscribers;
  if (edges.length === 0)
    return (
      <p className="empty" role="status">
        Nobody is found for “{search}”.
      </p>
    );
  return (
    <>
      <ul className="entries" aria-label="People who are found">
        {edges.map(({ node }) => (
          <li key={node.id} className="entry-head">
            <strong>{keyOf(node)}</strong>
            <span className="quiet">{fullName(node)}</span>
            <button type="button" aria-label={`Add ${keyOf(node)} to the group`} onClick={() => onAdd(node.id, keyOf(node))}>
              Add
            </button>
          </li>
        ))}
      </ul>
      {pageInfo.hasNextPage && (
        <p className="quiet">These are the first {counted(edges.length, "person", "people")}. Type more to find others.</p>
      )}
    </>
  );
}
