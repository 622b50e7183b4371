import type { ReactNode } from "react";

import { Trouble } from "../Trouble";
import { isAdmin, useViewer, type OwnToken } from "../viewer";
import { Waiting } from "../Waiting";
import { shownScopes } from "./scopes";

/** Shows `children` to somebody whose token has the scope ADMIN, and to others what is missing. */
export function ForAdmins({ children }: { children: ReactNode }) {
  const { viewer, error, retry } = useViewer();
  if (error && !viewer) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!viewer) return <Waiting for="your rights" />;
  if (!isAdmin(viewer.token)) return <Missing token={viewer.token} />;
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
