import type { ReactNode } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { OwnTokenQuery, Scope } from "../gql/graphql";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownScopes } from "./scopes";

export const OWN_TOKEN = graphql(`
  query OwnToken {
    viewer {
      token {
        id
        name
        scopes
        expiresAt
      }
    }
  }
`);

export type OwnToken = OwnTokenQuery["viewer"]["token"];

/** The token with which the visitor is signed in; null until it is read. */
export function useOwnToken() {
  const [{ data, error }, retry] = useQuery({ query: OWN_TOKEN });
  return { token: data?.viewer.token ?? null, error, retry };
}

export function isAdmin(token: OwnToken): boolean {
  return token.scopes.includes("ADMIN" as Scope);
}

/** Shows `children` to somebody whose token has the scope ADMIN, and to others what is missing. */
export function ForAdmins({ children }: { children: ReactNode }) {
  const { token, error, retry } = useOwnToken();
  if (error && !token) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!token) return <Waiting for="your rights" />;
  if (!isAdmin(token)) return <Missing token={token} />;
  return children;
}

function Missing({ token }: { token: OwnToken }) {
  return (
    <div className="missing">
      <p>
        This page needs a token with the scope <strong>ADMIN</strong>. You are signed in with “{token.name}”, which may{" "}
        {shownScopes(token.scopes)}.
      </p>
      <p className="quiet">
        Somebody whose token has ADMIN can create another one on the page API tokens. On the server, the command{" "}
        <code>audience-gql token create</code> does the same.
      </p>
    </div>
  );
}
