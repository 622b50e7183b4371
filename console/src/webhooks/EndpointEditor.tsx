import { useState } from "react";
import { useMutation, useQuery } from "urql";

import { ForAdmins } from "../administration/access";
import { Secret } from "../administration/Secret";
import { graphql, withFragments } from "../api/graphql";
import { Conflict } from "../Conflict";
import { refusedBy } from "../forms/refusals";
import type { EditedEndpointFragment } from "../gql/graphql";
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
const EDITED = graphql(`
  fragment EditedEndpoint on WebhookEndpoint {
    id
    name
    url
    revision
  }
`);
const UPDATE = withFragments(
  graphql(`
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
      ... on WebhookEndpointConflict {
        current {
          ...EditedEndpoint
        }
      }
    }
  }
`),
  EDITED,
);
const EDITED_ENDPOINT = withFragments(
  graphql(`
  query EditedWebhookEndpoint($id: ID!) {
    webhookEndpoint(by: { id: $id }) {
      ...EditedEndpoint
    }
  }
`),
  EDITED,
);

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
  const [{ data, error }, retry] = useQuery({ query: EDITED_ENDPOINT, variables: { id }, requestPolicy: "network-only" });
  useShown(EDITED_ENDPOINT, { id });
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="the endpoint" />;
  if (!data.webhookEndpoint) return <p className="empty">This endpoint does not exist, or no longer exists.</p>;
  return <Editing read={data.webhookEndpoint} />;
}

/** Keeps the endpoint as it was read first, so that the edit overwrites nobody else's. */
function Editing({ read }: { read: EditedEndpointFragment }) {
  const [base, setBase] = useState(read);
  const [conflict, setConflict] = useState<{ current: EditedEndpointFragment | null } | null>(null);
  const [{ fetching }, update] = useMutation(UPDATE);
  const { id, name, url } = base;

  async function save(draft: Draft, revision = base.revision) {
    const { data, error } = await update({ input: { id, ...draft, ifRevision: revision } });
    const answer = data?.updateWebhookEndpoint;
    setConflict(answer?.__typename === "WebhookEndpointConflict" ? { current: answer.current ?? null } : null);
    if (answer?.__typename === "WebhookEndpointConflict") return null;
    if (answer?.__typename !== "WebhookEndpoint") return refusedBy(answer, error);
    go(toEndpoint(id));
    return null;
  }

  function take(current: EditedEndpointFragment) {
    setBase(current);
    setConflict(null);
  }

  return (
    <EndpointForm
      key={base.revision}
      title={`Edit “${name}”`}
      verb="Save"
      back={toEndpoint(id)}
      start={{ name, url }}
      onSave={(draft) => save(draft)}
      below={(draft) =>
        conflict && (
          <Conflict
            noun="endpoint"
            canOverwrite
            isSaving={fetching}
            onTake={() => conflict.current && take(conflict.current)}
            onOverwrite={() => void save(draft, conflict.current?.revision)}
          >
            {conflict.current && (
              <p>
                It is now “{conflict.current.name}” with the URL {conflict.current.url}.
              </p>
            )}
          </Conflict>
        )
      }
    />
  );
}
