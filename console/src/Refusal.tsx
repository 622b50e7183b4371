import { graphql } from "./api/graphql";
import type { UsersFragment } from "./gql/graphql";
import { toAutomation, toSegment } from "./paths";

/** What uses the object, because of which it cannot be deleted. */
export const USERS = graphql(`
  fragment Users on InUse {
    usedBy {
      id
      name
    }
    automations {
      id
      name
    }
  }
`);

type RefusalProps = { answer: { message: string } & Partial<UsersFragment> };

/** Why the API has not done it, with links to what has to change first. */
export function Refusal({ answer: { message, usedBy = [], automations = [] } }: RefusalProps) {
  const users = [
    ...usedBy.map(({ id, name }) => ({ name: `the segment “${name}”`, address: toSegment(id) })),
    ...automations.map(({ id, name }) => ({ name: `the automation “${name}”`, address: toAutomation(id) })),
  ];
  return (
    <>
      <p>{message}</p>
      {users.length > 0 && (
        <ul className="users" aria-label="What uses it">
          {users.map(({ name, address }) => (
            <li key={address}>
              <a href={address}>{name}</a>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
