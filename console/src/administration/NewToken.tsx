import { useState } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { localOf } from "../automations/draft";
import { Field } from "../automations/Field";
import { refusedBy } from "../forms/refusals";
import { SmallForm } from "../forms/SmallForm";
import { TextField } from "../forms/TextField";
import type { Scope } from "../gql/graphql";
import { TOKENS } from "../paths";
import { ForAdmins } from "./access";
import { DOCUMENTS, LIMITS, SCOPES, type Documents } from "./scopes";
import { Secret } from "./Secret";
import { OF_TOKENS } from "./TokenList";

const CREATE = graphql(`
  mutation CreateApiToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      __typename
      ... on CreateApiTokenPayload {
        token {
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

type Draft = { name: string; scopes: readonly Scope[]; /** As the control gives it, in local time; blank for never. */ expiry: string; networks: string; documents: Documents };

/** The form for a new token, and then its secret. */
export function NewToken() {
  const [draft, setDraft] = useState<Draft>(() => ({ name: "", scopes: [], expiry: inDays(90), networks: "", documents: "any" }));
  const [created, create] = useMutation(CREATE);
  const made = created.data?.createApiToken;

  async function save() {
    const { name, scopes, expiry } = draft;
    const networks = draft.networks.split(",").map((it) => it.trim()).filter(Boolean);
    const expiresAt = expiry === "" ? null : new Date(expiry).toISOString();
    const input = { name, scopes: [...scopes], expiresAt, networks: networks.length > 0 ? networks : null, ...LIMITS[draft.documents] };
    const { data, error } = await create({ input }, OF_TOKENS);
    const answer = data?.createApiToken;
    return answer?.__typename === "CreateApiTokenPayload" ? null : refusedBy(answer, error);
  }

  if (made?.__typename === "CreateApiTokenPayload")
    return (
      <Secret title="The token is created" secret={made.secret} onward={{ label: "All tokens", address: TOKENS }}>
        Give it to whoever will use it. It is never shown again.
      </Secret>
    );
  return (
    <ForAdmins>
      <SmallForm title="New token" save="Create the token" back={TOKENS} parts={["name", "scopes", "expiresAt", "networks"]} onSave={save}>
        {(refused) => (
          <>
            <TextField
              label="Name"
              longest={200}
              example="Web shop"
              issues={refused("name")}
              value={draft.name}
              onChange={(name) => setDraft({ ...draft, name })}
            />
            <ScopeBoxes
              chosen={draft.scopes}
              problem={refused("scopes").map((it) => it.message).join("; ")}
              onChange={(scopes) => setDraft({ ...draft, scopes })}
            />
            <Field label="Expires" issues={refused("expiresAt")}>
              {(control) => (
                <input
                  {...control}
                  type="datetime-local"
                  value={draft.expiry}
                  onChange={(event) => setDraft({ ...draft, expiry: event.target.value })}
                />
              )}
            </Field>
            <p className="quiet help">Without an instant, the token does not expire.</p>
            <TextField
              label="Only from"
              longest={1000}
              example="203.0.113.0/24"
              help="The networks from which it may be used, with commas between them. Without one, it may be used from anywhere."
              issues={refused("networks")}
              value={draft.networks}
              onChange={(networks) => setDraft({ ...draft, networks })}
            />
            <DocumentChoice chosen={draft.documents} onChange={(documents) => setDraft({ ...draft, documents })} />
          </>
        )}
      </SmallForm>
    </ForAdmins>
  );
}

type DocumentChoiceProps = { chosen: Documents; onChange: (documents: Documents) => void };

function DocumentChoice({ chosen, onChange }: DocumentChoiceProps) {
  return (
    <fieldset className="told">
      <legend>It may run</legend>
      {(Object.keys(DOCUMENTS) as Documents[]).map((documents) => (
        <label key={documents} className="check">
          <input type="radio" name="documents" checked={documents === chosen} onChange={() => onChange(documents)} />
          {DOCUMENTS[documents]}
        </label>
      ))}
      <p className="quiet help">Trusted documents are the queries and mutations that somebody has published in this workspace. The choice cannot be changed later.</p>
    </fieldset>
  );
}

/** An instant so many days from now, as a control for it wants it. */
function inDays(days: number): string {
  return localOf(new Date(Date.now() + days * 86_400_000)).slice(0, 16);
}

type ScopeBoxesProps = { chosen: readonly Scope[]; problem: string; onChange: (scopes: readonly Scope[]) => void };

function ScopeBoxes({ chosen, problem, onChange }: ScopeBoxesProps) {
  return (
    <fieldset className="told scopes">
      <legend>It may</legend>
      {(Object.keys(SCOPES) as Scope[]).map((scope, index) => (
        <label key={scope} className="check">
          <input
            type="checkbox"
            aria-invalid={index === 0 && problem !== ""}
            checked={chosen.includes(scope)}
            onChange={(event) => onChange(event.target.checked ? [...chosen, scope] : chosen.filter((it) => it !== scope))}
          />
          {SCOPES[scope]} <code className="quiet">{scope}</code>
        </label>
      ))}
      <p className="problem" role="alert">
        {problem}
      </p>
    </fieldset>
  );
}
