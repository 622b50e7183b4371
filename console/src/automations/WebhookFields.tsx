import { useQuery } from "urql";

import { within } from "../builder/usePreview";
import { graphql } from "../api/graphql";
import { Field } from "./Field";
import type { PartProps } from "./TriggerFields";

const ENDPOINTS = graphql(`
  query Endpoints {
    webhookEndpoints(first: 100) {
      edges {
        node {
          id
          name
          state
        }
      }
    }
  }
`);

const PROFILE = [
  ...["phone", "firstName", "lastName", "language", "timezone"],
  ...["country", "region", "city", "postalCode", "birthday"],
];

/** Where the message goes, and what it tells of the person. The endpoints need a token with the scope ADMIN. */
export function WebhookFields({ draft, onChange, vocabulary, issues }: PartProps) {
  const [{ data, error }] = useQuery({ query: ENDPOINTS });
  const found = within(issues, ["actions", "0", "webhook"]);
  const fields = [...PROFILE, ...vocabulary.fields.map((it) => it.key)];
  const others = draft.told.filter((it) => !fields.includes(it));

  function tell(name: string, isTold: boolean) {
    onChange({ told: isTold ? [...draft.told, name] : draft.told.filter((it) => it !== name) });
  }

  return (
    <>
      <Field label="Endpoint" issues={found.filter((it) => it.path[0] !== "fields")}>
        {(control) => (
          <select {...control} value={draft.endpoint} onChange={(event) => onChange({ endpoint: event.target.value })}>
            <option value="">Choose…</option>
            {data?.webhookEndpoints.edges.map(({ node }) => (
              <option key={node.id} value={node.id}>
                {node.name}
                {node.state === "DISABLED" && " (disabled)"}
              </option>
            ))}
            {draft.endpoint && !data && <option value={draft.endpoint}>the present one</option>}
          </select>
        )}
      </Field>
      {error && <p className="warning">{error.graphQLErrors[0]?.message ?? "The API does not answer."}</p>}
      <fieldset className="told">
        <legend>It tells the id, the external id, the email and</legend>
        {[...fields, ...others].map((name) => (
          <label key={name} className="check">
            <input type="checkbox" checked={draft.told.includes(name)} onChange={(event) => tell(name, event.target.checked)} />
            {name}
          </label>
        ))}
        <p className="problem" role="alert">
          {within(found, ["fields"])
            .map((it) => it.message)
            .join("; ")}
        </p>
      </fieldset>
    </>
  );
}
