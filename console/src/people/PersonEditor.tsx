import { useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { EditedPersonQuery } from "../gql/graphql";
import { PEOPLE } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { PersonForm } from "./PersonForm";
import "./people.css";

const EDITED = graphql(`
  query EditedPerson($id: ID!, $isKnown: Boolean!) {
    customFields {
      id
      key
      label
      type
    }
    subscriber(by: { id: $id }) @include(if: $isKnown) {
      id
      email
      phone
      externalId
      firstName
      lastName
      language
      timezone
      birthday
      latitude
      longitude
      country
      region
      city
      postalCode
      fields {
        key
        value
      }
    }
  }
`);

/** A person who is not known yet. */
export function NewPerson() {
  return <Editor id={null} />;
}

/** The form for a person, as they are when the page opens. */
export function EditPerson({ id }: { id: string }) {
  return <Editor id={id} />;
}

function Editor({ id }: { id: string | null }) {
  const variables = { id: id ?? "", isKnown: id !== null };
  const [{ data, error }, ask] = useQuery({ query: EDITED, variables, requestPolicy: "network-only" });
  useShown(EDITED, variables);

  if (error && !data) return <Trouble error={error} onRetry={() => ask({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading the fields…
      </p>
    );
  if (id !== null && !data.subscriber)
    return (
      <p className="empty">
        This person does not exist, or no longer exists. <a href={PEOPLE}>All people</a>
      </p>
    );
  return <Editing read={data} />;
}

/** Keeps what was read first, because an answer that arrives later must not replace what the visitor types. */
function Editing({ read }: { read: EditedPersonQuery }) {
  const [{ subscriber, customFields }] = useState(read);
  return <PersonForm person={subscriber ?? null} fields={customFields} />;
}
