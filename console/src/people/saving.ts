/** Saving a person: a new one, or an edit of one. */

import { useClient, useMutation } from "urql";

import { graphql } from "../api/graphql";
import { problemOf } from "../automations/saving";
import type { Issue } from "../builder/usePreview";
import type { OwnersQuery, SubscriberInput, SubscriberKey } from "../gql/graphql";
import { KEYS, type Key } from "./draft";

const UPSERT = graphql(`
  mutation SavePerson($input: UpsertSubscribersInput!) {
    upsertSubscribers(input: $input) {
      __typename
      ... on UpsertSubscribersPayload {
        rejects {
          code
          message
          path
        }
        subscribers {
          id
        }
      }
      ... on InvalidInput {
        message
        path
        issues {
          message
          path
        }
      }
    }
  }
`);
const OWNERS = graphql(`
  query Owners($key: SubscriberKey!) {
    subscriber(by: $key) {
      id
      email
      phone
      externalId
      firstName
      lastName
    }
  }
`);

export type Owner = NonNullable<OwnersQuery["subscriber"]>;
/** The keys of the form that belong to another person. */
export type Owners = Partial<Record<Key, Owner>>;
export type Saved = {
  /** The id of the person; null if nothing was saved. */
  id: string | null;
  owners: Owners;
  /** What the API refused, with paths within the person. */
  issues: readonly Issue[];
  /** Why there is no answer. */
  problem: string | null;
};

const NOTHING: Saved = { id: null, owners: {}, issues: [], problem: null };

/** `save` never changes somebody whose page is not open: an upsert with another person's key would change them. */
export function useSaving() {
  const client = useClient();
  const [{ fetching }, upsert] = useMutation(UPSERT);

  async function ownersOf(input: SubscriberInput): Promise<Owners> {
    const given = KEYS.filter((key) => input[key]);
    const asked = given.map(async (key) => {
      const wanted = { [key]: input[key] } as unknown as SubscriberKey; // the key is known only at run time
      const { data } = await client.query(OWNERS, { key: wanted }, { requestPolicy: "network-only" });
      return [key, data?.subscriber] as const;
    });
    const found = await Promise.all(asked);
    return Object.fromEntries(found.filter(([, owner]) => owner && owner.id !== input.id));
  }

  async function save(input: SubscriberInput): Promise<Saved> {
    const owners = await ownersOf(input);
    if (Object.keys(owners).length > 0) return { ...NOTHING, owners };
    const { data, error } = await upsert({ input: { subscribers: [input] } });
    const answer = data?.upsertSubscribers;
    if (!answer) return { ...NOTHING, problem: problemOf(error) };
    if (answer.__typename === "InvalidInput") return { ...NOTHING, issues: withinPerson(answer.issues) };
    if (answer.rejects.length > 0) return { ...NOTHING, issues: withinPerson(answer.rejects) };
    return { ...NOTHING, id: answer.subscribers[0]?.id ?? null };
  }

  return { save, isSaving: fetching };
}

/** Without "input", "subscribers" and the index. */
function withinPerson(issues: readonly Issue[]): Issue[] {
  return issues.map(({ message, path }) => ({ message, path: path.slice(3) }));
}
