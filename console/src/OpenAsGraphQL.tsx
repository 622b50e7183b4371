import { usePlaygroundAddress } from "./shown";

/** Opens what the page shows as operations in the playground, in the same tab, so that it is signed in, too. They do not run by themselves. */
export function OpenAsGraphQL() {
  const address = usePlaygroundAddress();
  if (address === null) return null;
  return (
    <p className="as-graphql">
      <a href={address}>Open as GraphQL</a>
    </p>
  );
}
