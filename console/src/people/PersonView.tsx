import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { PersonQuery } from "../gql/graphql";
import { PEOPLE, toPage } from "../paths";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Consent } from "./Consent";
import { EraseButton } from "./EraseButton";
import { Groups } from "./Groups";
import { keyOf, nameOf } from "./names";
import { OtherSegments } from "./OtherSegments";
import { Profile } from "./Profile";
import { Segments } from "./Segments";
import { Timeline } from "./Timeline";
import { usePersonChanges } from "./usePersonChanges";
import { useStill } from "./useStill";
import "./people.css";

const PERSON = graphql(`
  query Person($id: ID!) {
    subscriber(by: { id: $id }) {
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
      createdAt
      updatedAt
      channels {
        channel
        status
        changedAt
        reason
      }
      fields {
        key
        value
        definition {
          id
          label
        }
      }
    }
  }
`);

export type Person = NonNullable<PersonQuery["subscriber"]>;

/** One person: who they are, what they agreed to, which lists they are in and why, and what happened. */
export function PersonView({ id, cursor }: { id: string; /** Where the console's feed is. */ cursor: string | null }) {
  const [{ data, error }, retry] = useQuery({
    query: PERSON,
    variables: { id },
    requestPolicy: "cache-and-network",
  });
  useShown(PERSON, { id });
  const changes = usePersonChanges(id, cursor);
  useRefetch(retry, changes);
  useStill(changes);

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data)
    return (
      <p className="empty" aria-busy="true">
        Loading…
      </p>
    );
  if (!data.subscriber)
    return (
      <p className="empty">
        This person does not exist, or no longer exists. <a href={PEOPLE}>All people</a>
      </p>
    );
  const person = data.subscriber;
  return (
    <article className="parts">
      <Head person={person} />
      <Profile person={person} />
      <Consent id={id} channels={person.channels} />
      <Segments id={id} changes={changes} />
      <OtherSegments id={id} changes={changes} />
      <Groups id={id} changes={changes} />
      <Timeline id={id} changes={changes} />
    </article>
  );
}

function Head({ person }: { person: Person }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const name = nameOf(person);
  const key = keyOf(person);

  // Visitors who use the keyboard continue here, not at the top of the page.
  useEffect(() => heading.current?.focus(), []);

  return (
    <header className="subject">
      <p className="quiet">
        <a href={PEOPLE}>People</a>
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {name}
      </h2>
      {name !== key && <p className="summary">{key}</p>}
      <div className="pausing">
        <a className="button" href={toPage("edit-person", person.id)}>
          Edit
        </a>
        <EraseButton id={person.id} name={name} email={person.email ?? null} />
      </div>
    </header>
  );
}
