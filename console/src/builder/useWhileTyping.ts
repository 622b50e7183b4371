/** Queries while somebody types. */

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useEffect, useState } from "react";
import { useClient, type AnyVariables, type CombinedError } from "urql";

const PAUSE_MILLISECONDS = 250;

export type Heard<Data, Variables> = {
  /** The answer for the present variables, or for earlier ones while `isStale`. */
  data: Data | null;
  error: CombinedError | null;
  isStale: boolean;
  /** The variables that the answer is for; null before the first one. */
  asked: Variables | null;
};

/** Sends the query when the visitor stops typing. It cancels outdated requests and drops their answers. Null variables: it asks nothing. */
export function useWhileTyping<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables | null,
): Heard<Data, Variables> {
  const client = useClient();
  const [heard, setHeard] = useState<Heard<Data, Variables>>({ data: null, error: null, isStale: true, asked: null });
  const wanted = JSON.stringify(variables);

  useEffect(() => {
    setHeard((shown) => ({ ...shown, isStale: true }));
    const asked = JSON.parse(wanted) as Variables | null;
    if (asked === null) return;
    let stop = () => {};
    const timer = setTimeout(() => {
      const answers = client.query(document, asked, { requestPolicy: "network-only" });
      stop = answers.subscribe(({ data, error }) =>
        setHeard({ data: data ?? null, error: error ?? null, isStale: false, asked }),
      ).unsubscribe;
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, document, wanted]);

  return heard;
}
