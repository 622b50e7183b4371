/** Who is signed in: the workspace and the token. The frame of the page and its parts ask for both with one document, so that it is sent once. */

import { useQuery } from "urql";

import { graphql } from "./api/graphql";
import type { Scope, ViewerQuery } from "./gql/graphql";

export const VIEWER = graphql(`
  query Viewer {
    viewer {
      workspace {
        id
        name
        subscriberCount
      }
      token {
        id
        name
        scopes
      }
    }
  }
`);

export type OwnToken = ViewerQuery["viewer"]["token"];

/** The workspace and the token of the visitor; null until they are read. */
export function useViewer() {
  const [{ data, error }, retry] = useQuery({ query: VIEWER });
  return { viewer: data?.viewer ?? null, error, retry };
}

export function isAdmin(token: OwnToken): boolean {
  return token.scopes.includes("ADMIN" as Scope);
}
