import { useState } from "react";
import { useMutation, useQuery } from "urql";

import { ForAdmins } from "../administration/access";
import { Secret } from "../administration/Secret";
import { graphql } from "../api/graphql";
import { refusedBy } from "../forms/refusals";
import type { EditedEndpointQuery } from "../gql/graphql";
import { ENDPOINTS, go, toEndpoint } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { EndpointForm, type Draft } from "./EndpointForm";

const CREATE = graphql(`
  mutation CreateWebhookEndpoint($input: CreateWebhookEndpointInput!) {
    createWebhookEndpoint(input: $input) {
      __typename
      ... on CreateWebhookEndpointPayload {
        endpoint {
          id
        }
        secret
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
  mutation UpdateWebhookEndpoint($input: UpdateWebhookEndpointInput!) {
    updateWebhookEndpoint(input: $input) {
      __typename
      ... on WebhookEndpoint {
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
  query EditedEndpoint($id: ID!) {
    webhookEndpoint(by: { id: $id }) {
      id
      name
      url
      revision
    }
  }
`);

/** The form for a new endpoint, and then its secret. */
export function NewEndpoint() {
  const [created, create] = useMutation(CREATE);

  async function save(draft: Draft) {
    const { data, error } = await create({ input: draft });
    const answer = data?.createWebhookEndpoint;
    return answer?.__typename === "CreateWebhookEndpointPayload" ? null : refusedBy(answer, error);
  }

  const made = created.data?.createWebhookEndpoint;
  if (made?.__typename === "CreateWebhookEndpointPayload")
    return (
      <Secret
        title="The endpoint is created"
        secret={made.secret}
        onward={{ label: "Open the endpoint", address: toEndpoint(made.endpoint.id) }}
      >
        Give this secret to the receiver, which verifies the signatures of the messages with it. It is never shown again.
      </Secret>
    );
  return (
    <ForAdmins>
      <EndpointForm title="New endpoint" verb="Create the endpoint" back={ENDPOINTS} start={{ name: "", url: "" }} onSave={save} />
    </ForAdmins>
  );
}

/** The form for an endpoint, as it is when the page opens. */
export function EditEndpoint({ id }: { id: string }) {
  return (
    <ForAdmins>
      <Asked id={id} />
    </ForAdmins>
  );
}

function Asked({ id }: { id: string }) {
  const [{ data, error }, retry] = useQuery({ query: EDITED, variables: { id }, requestPolicy: "network-only" });
  useShown(EDITED, { id });
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the endpoint" />;
  if (!data.webhookEndpoint) return <p className="empty">This endpoint does not exist, or no longer exists.</p>;
  return <Editing read={data.webhookEndpoint} />;
}

/** Keeps the endpoint as it was read first, so that the edit overwrites nobody else's. */
function Editing({ read }: { read: NonNullable<EditedEndpointQuery["webhookEndpoint"]> }) {
  const [{ id, name, url, revision }] = useState(read);
  const [, update] = useMutation(UPDATE);

  async function save(draft: Draft) {
    const { data, error } = await update({ input: { id, ...draft, ifRevision: revision } });
    const answer = data?.updateWebhookEndpoint;
    if (answer?.__typename !== "WebhookEndpoint") return refusedBy(answer, error);
    go(toEndpoint(id));
    return null;
  }

  return <EndpointForm title={`Edit “${name}”`} verb="Save" back={toEndpoint(id)} start={{ name, url }} onSave={save} />;
}
