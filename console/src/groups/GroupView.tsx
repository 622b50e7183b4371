import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";

import { HistoryLink } from "../administration/HistoryLink";
import { graphql, withFragments } from "../api/graphql";
import { useStatus } from "../api/status";
import type { Tally } from "../changes/useChanges";
import { DeleteButton } from "../DeleteButton";
import type { GroupQuery } from "../gql/graphql";
import { GROUPS, toPage } from "../paths";
import { USERS } from "../Refusal";
import { MovingNumber } from "../segments/MovingNumber";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { AddPeople } from "./AddPeople";
import { GroupMembers } from "./GroupMembers";

const GROUP = graphql(`
  query Group($id: ID!) {
    group(by: { id: $id }) {
      id
      name
      description
      memberCount
    }
  }
`);
const DELETE = withFragments(
  graphql(`
  mutation DeleteGroup($input: DeleteGroupInput!) {
    deleteGroup(input: $input) {
      __typename
      ... on UserError {
        message
      }
      ...Users
    }
  }
`),
  USERS,
);

type GroupViewProps = {
  id: string;
  /** How many people entered and left the group since the console was opened. */
  tally: Tally | undefined;
};

/** One group: its size, who is in it, and a way to add people and remove them. */
export function GroupView({ id, tally }: GroupViewProps) {
  const [{ data, error }, retry] = useQuery({ query: GROUP, variables: { id }, requestPolicy: "cache-and-network" });
  const [edits, setEdits] = useState(0);
  const version = (tally ? tally.entered + tally.left : 0) + edits;
  useShown(GROUP, { id });
  useRefetch(retry, version);
  useRefetch(retry, useStatus().phase); // the feed does not tell what happened between the query and its beginning

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the group" />;
  if (!data.group)
    return (
      <p className="empty">
        This group does not exist, or no longer exists. <a href={GROUPS}>All groups</a>
      </p>
    );
  return (
    <article className="parts">
      <Head group={data.group} />
      <AddPeople groupId={id} onAdded={() => setEdits(edits + 1)} />
      <GroupMembers groupId={id} version={version} onRemoved={() => setEdits(edits + 1)} />
    </article>
  );
}

function Head({ group }: { group: NonNullable<GroupQuery["group"]> }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <header className="subject">
      <p className="quiet">
        <a href={GROUPS}>Groups</a>
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {group.name}
      </h2>
      <p className="figure">
        <MovingNumber value={group.memberCount} /> <span className="quiet">members</span>
      </p>
      {group.description && <p className="summary">{group.description}</p>}
      <div className="pausing">
        <a className="button" href={toPage("edit-group", group.id)}>
          Edit
        </a>
        <DeleteButton mutation={DELETE} type="Group" noun="group" id={group.id} name={group.name} next={GROUPS}>
          <p>All of its members leave it, which may start automations. The people themselves stay as they are.</p>
        </DeleteButton>
        <HistoryLink id={group.id} />
      </div>
    </header>
  );
}
