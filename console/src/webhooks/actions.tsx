import { useMutation } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { ConfirmButton } from "../ConfirmButton";
import { DeleteButton } from "../DeleteButton";
import type { WaitingMessages } from "../gql/graphql";
import { ENDPOINTS } from "../paths";
import { USERS } from "../Refusal";
import { useKeptFocus } from "../useKeptFocus";
import type { Endpoint } from "./EndpointView";
import { outcomeOf } from "./words";

const STATE = graphql(`
  fragment EndpointState on WebhookEndpoint {
    id
    state
    disabledReason
    failingSince
  }
`);
const DISABLE = withFragments(
  graphql(`
  mutation DisableWebhookEndpoint($input: DisableWebhookEndpointInput!) {
    disableWebhookEndpoint(input: $input) {
      __typename
      ...EndpointState
      ... on UserError {
        message
      }
    }
  }
`),
  STATE,
);
const ENABLE = withFragments(
  graphql(`
  mutation EnableWebhookEndpoint($input: EnableWebhookEndpointInput!) {
    enableWebhookEndpoint(input: $input) {
      __typename
      ...EndpointState
      ... on UserError {
        message
      }
    }
  }
`),
  STATE,
);
const ROTATE = graphql(`
  mutation RotateWebhookSecret($input: RotateWebhookSecretInput!) {
    rotateWebhookSecret(input: $input) {
      __typename
      ... on RotateWebhookSecretPayload {
        secret
        endpoint {
          id
          previousSecretUntil
        }
      }
      ... on UserError {
        message
      }
    }
  }
`);
const DELETE = withFragments(
  graphql(`
  mutation DeleteWebhookEndpoint($input: DeleteWebhookEndpointInput!) {
    deleteWebhookEndpoint(input: $input) {
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
const TEST = graphql(`
  mutation TestWebhookEndpoint($input: TestWebhookEndpointInput!) {
    testWebhookEndpoint(input: $input) {
      __typename
      ... on TestWebhookEndpointPayload {
        status
        milliseconds
        failure
        response
      }
      ... on UserError {
        message
      }
    }
  }
`);

type ActionProps = { endpoint: Pick<Endpoint, "id" | "name" | "state"> };

/** Disables an enabled endpoint. Enables a disabled one, with the messages that wait or without them. */
export function Switch({ endpoint: { id, state } }: ActionProps) {
  const buttons = useKeptFocus(state);
  const [disabled, disable] = useMutation(DISABLE);
  const [enabled, enable] = useMutation(ENABLE);
  const isBusy = disabled.fetching || enabled.fetching;
  const send = (waiting: WaitingMessages) => void enable({ input: { id, waiting } });
  const answer = state === "ENABLED" ? disabled.data?.disableWebhookEndpoint : enabled.data?.enableWebhookEndpoint;
  const refusal = answer?.__typename === "NotFound" ? answer.message : problemOf(disabled.error ?? enabled.error);
  return (
    <div ref={buttons} className="beside">
      {state === "ENABLED" ? (
        <button type="button" aria-disabled={isBusy} onClick={() => void disable({ input: { id } })}>
          Disable
        </button>
      ) : (
        <>
          <button type="button" aria-disabled={isBusy} onClick={() => send("SEND" as WaitingMessages)}>
            Enable and send what waits
          </button>
          <button type="button" aria-disabled={isBusy} onClick={() => send("DROP" as WaitingMessages)}>
            Enable without what waits
          </button>
        </>
      )}
      {refusal && (
        <p className="problem" role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}

export function RotateSecret({ endpoint: { id, name }, onSecret }: ActionProps & { onSecret: (secret: string) => void }) {
  const [, rotate] = useMutation(ROTATE);

  async function confirm() {
    const { data, error } = await rotate({ input: { id } });
    const answer = data?.rotateWebhookSecret;
    if (answer?.__typename !== "RotateWebhookSecretPayload") return answer?.message ?? problemOf(error);
    onSecret(answer.secret);
    return null;
  }

  return (
    <ConfirmButton
      label="New secret…"
      question={`Give “${name}” a new secret?`}
      keep="Keep the present one"
      confirm="Make a new secret"
      onConfirm={confirm}
    >
      <p>
        For 24 hours, messages are signed with both secrets, so that the receiver can change over. A secret before the present one
        ends now.
      </p>
    </ConfirmButton>
  );
}

export function DeleteEndpoint({ endpoint: { id, name } }: ActionProps) {
  return (
    <DeleteButton mutation={DELETE} type="WebhookEndpoint" noun="endpoint" id={id} name={name} next={ENDPOINTS}>
      <p>Messages that wait are never sent, and the record of all messages is deleted.</p>
    </DeleteButton>
  );
}

/** Sends a test message and tells how it ended. */
export function Test({ endpoint: { id } }: ActionProps) {
  const [{ data, error, fetching }, send] = useMutation(TEST);
  const answer = data?.testWebhookEndpoint;
  const problem = answer && answer.__typename !== "TestWebhookEndpointPayload" ? answer.message : problemOf(error);
  return (
    <div className="pausing">
      <button type="button" aria-disabled={fetching} onClick={() => fetching || void send({ input: { id } })}>
        Send a test message
      </button>
      <p className={problem ? "problem" : "quiet"} role="status">
        {fetching ? "Waiting for the answer, up to 15 seconds…" : problem}
        {!fetching && answer?.__typename === "TestWebhookEndpointPayload" && (
          <>
            {answer.failure ? "It did not arrive" : "It arrived"}: {outcomeOf(answer)}
          </>
        )}
      </p>
    </div>
  );
}
