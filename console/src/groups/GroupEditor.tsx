import { useState } from "react";
import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import { refusedBy, type Refused } from "../forms/refusals";
import { SmallForm } from "../forms/SmallForm";
import { TextField } from "../forms/TextField";
import { go, GROUPS, toGroup } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";

const CREATE = graphql(`
  mutation CreateGroup($input: CreateGroupInput!) {
    createGroup(input: $input) {
      __typename
      ... on Group {
        id
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
    }
  }
`);
const UPDATE = graphql(`
  mutation UpdateGroup($input: UpdateGroupInput!) {
    updateGroup(input: $input) {
      __typename
      ... on Group {
        id
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
    }
  }
`);
const EDITED = graphql(`
  query EditedGroup($id: ID!) {
    group(by: { id: $id }) {
      id
      name
      description
    }
  }
`);

type Draft = { name: string; description: string };

export function NewGroup() {
  const [, create] = useMutation(CREATE);

  async function save({ name, description }: Draft) {
    const { data, error } = await create({ input: { name, description: description.trim() || null } });
    const answer = data?.createGroup;
    if (answer?.__typename !== "Group") return refusedBy(answer, error);
    go(toGroup(answer.id));
    return null;
  }

  return <Form title="New group" verb="Create the group" back={GROUPS} start={{ name: "", description: "" }} onSave={save} />;
}

/** The form for a group, as it is when the page opens. */
export function EditGroup({ id }: { id: string }) {
  const [{ data, error }, retry] = useQuery({ query: EDITED, variables: { id }, requestPolicy: "network-only" });
  useShown(EDITED, { id });
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the group" />;
  if (!data.group) return <p className="empty">This group does not exist, or no longer exists.</p>;
  const { name, description } = data.group;
  return <Editing id={id} start={{ name, description: description ?? "" }} />;
}

function Editing({ id, start }: { id: string; start: Draft }) {
  const [, update] = useMutation(UPDATE);

  async function save({ name, description }: Draft) {
    const { data, error } = await update({ input: { id, name, description: description.trim() || null } });
    const answer = data?.updateGroup;
    if (answer?.__typename !== "Group") return refusedBy(answer, error);
    go(toGroup(id));
    return null;
  }

  return <Form title={`Edit “${start.name}”`} verb="Save" back={toGroup(id)} start={start} onSave={save} />;
}

type FormProps = {
  title: string;
  verb: string;
  back: string;
  start: Draft;
  onSave: (draft: Draft) => Promise<Refused | null>;
};

/** Keeps the draft that it begins with, because an answer that arrives later must not replace what the visitor types. */
function Form({ title, verb, back, start, onSave }: FormProps) {
  const [draft, setDraft] = useState(start);
  return (
    <SmallForm title={title} save={verb} back={back} parts={["name", "description"]} onSave={() => onSave(draft)}>
      {(refused) => (
        <>
          <TextField
            label="Name"
            longest={200}
            example="Guests of the fair"
            issues={refused("name")}
            value={draft.name}
            onChange={(name) => setDraft({ ...draft, name })}
          />
          <TextField
            label="Description"
            longest={2000}
            example="What the group is for"
            issues={refused("description")}
            value={draft.description}
            onChange={(description) => setDraft({ ...draft, description })}
          />
        </>
      )}
    </SmallForm>
  );
}
