import { useMutation, useQuery } from "urql";

import { graphql } from "../api/graphql";
import { problemOf } from "../automations/saving";
import { ConfirmButton } from "../ConfirmButton";
import type { ClientKind, TokensQuery } from "../gql/graphql";
import { useShown } from "../shown";
import { useViewer } from "../viewer";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";
import { ForAdmins } from "./access";
import { shownLimit, shownScopes } from "./scopes";
import { Administered } from "./Sections";

const TOKENS = graphql(`
  query Tokens {
    apiTokens {
      id
      name
      prefix
      scopes
      createdAt
      expiresAt
      lastUsedAt
      lastUsedAddress
      lastUsedBy
      networks
      onlyTrustedDocuments
      withConsoleDocuments
    }
  }
`);
const REVOKE = graphql(`
  mutation RevokeApiToken($input: RevokeApiTokenInput!) {
    revokeApiToken(input: $input) {
      __typename
      ... on UserError {
        message
      }
    }
  }
`);

export const OF_TOKENS = { additionalTypenames: ["ApiToken"] };

/** The tokens of the workspace: what each may do, and whether somebody uses it. */
export function TokenList() {
  return (
    <Administered title="API tokens" add={{ label: "New token", page: "new-token" }}>
      <ForAdmins>
        <Tokens />
      </ForAdmins>
    </Administered>
  );
}

function Tokens() {
  const [{ data, error }, retry] = useQuery({ query: TOKENS, requestPolicy: "cache-and-network", context: OF_TOKENS });
  const { viewer } = useViewer();
  useShown(TOKENS, {});

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="tokens" />;
  return (
    <ul className="cards" aria-label="Tokens">
      {data.apiTokens.map((it) => (
        <TokenCard key={it.id} token={it} isOwn={it.id === viewer?.token.id} />
      ))}
    </ul>
  );
}

const CLIENTS: Record<ClientKind, string> = {
  BROWSER: "a browser",
  COMMAND_LINE: "a tool on a command line",
  PROGRAM: "a program",
};

type TokenCardProps = { token: TokensQuery["apiTokens"][number]; isOwn: boolean };

function TokenCard({ token, isOwn }: TokenCardProps) {
  const { id, name, prefix, scopes, createdAt, expiresAt, networks } = token;
  const isExpired = expiresAt != null && Date.parse(expiresAt) <= Date.now();
  return (
    <li>
      <div className="entry-head">
        <strong>{name}</strong>
        <code className="quiet">agq_{prefix}…</code>
        {isOwn && <span className="badge wait">you use it now</span>}
        {isExpired && <span className="badge off">expired</span>}
        <RevokeButton id={id} name={name} isOwn={isOwn} />
      </div>
      <p>
        It may {shownScopes(scopes)}
        {networks && `, from ${networks.join(", ")} only`}
        {shownLimit(token)}.
      </p>
      <p className="quiet">
        Created {shownTime(createdAt)} · {lastUseOf(token)} ·{" "}
        {expiresAt ? `${isExpired ? "expired" : "expires"} ${shownTime(expiresAt)}` : "does not expire"}
      </p>
    </li>
  );
}

/** When the token was last used, from where, and by what. */
function lastUseOf({ lastUsedAt, lastUsedAddress, lastUsedBy }: TokenCardProps["token"]): string {
  if (!lastUsedAt) return "never used";
  const from = lastUsedAddress ? ` from ${lastUsedAddress}` : "";
  const by = lastUsedBy ? ` by ${CLIENTS[lastUsedBy]}` : "";
  return `last used ${shownTime(lastUsedAt)}${from}${by}`;
}

function RevokeButton({ id, name, isOwn }: { id: string; name: string; isOwn: boolean }) {
  const [, revoke] = useMutation(REVOKE);

  async function confirm() {
    const { data, error } = await revoke({ input: { id } }, OF_TOKENS);
    const answer = data?.revokeApiToken;
    return answer?.__typename === "DeletePayload" ? null : (answer?.message ?? problemOf(error));
  }

  return (
    <ConfirmButton
      label="Revoke…"
      about={name}
      question={`Revoke the token “${name}”?`}
      keep="Keep it"
      confirm="Revoke the token"
      onConfirm={confirm}
    >
      <p>Every server refuses it within five seconds and closes its connections. Nobody can undo this.</p>
      {isOwn && (
        <p>
          <strong>You are signed in with this token.</strong> This page will ask for another one.
        </p>
      )}
    </ConfirmButton>
  );
}
