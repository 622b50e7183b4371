/** The playground's connection to the API: HTTP for queries and mutations, one websocket for subscriptions. */

import type { Fetcher, FetcherParams, FetcherReturnType } from "@graphiql/toolkit";
import {
  buildClientSchema,
  getIntrospectionQuery,
  Kind,
  OperationTypeNode,
  parse,
  type GraphQLSchema,
  type IntrospectionQuery,
} from "graphql";
import { createClient, type Client } from "graphql-ws";

const ENDPOINT = new URL("graphql", document.baseURI);
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;

const VIEWER = "{ viewer { workspace { name } token { name scopes } } }";

export type Viewer = {
  workspace: { name: string };
  token: { name: string; scopes: string[] };
};

/** The token is not valid, or no longer valid. */
export class Unauthenticated extends Error {}

export type Connection = {
  viewer: Viewer;
  schema: GraphQLSchema;
  fetcher: Fetcher;
  close: () => void;
};

/** Open the workspace of a token. Calls `onRefused` when the API refuses the token later. Throws Unauthenticated if it refuses the token now. */
export async function connect(
  token: string,
  onRefused: () => void,
): Promise<Connection> {
  const { viewer } = await ask<{ viewer: Viewer }>(token, VIEWER);
  const introspection = await ask<IntrospectionQuery>(
    token,
    getIntrospectionQuery({
      inputValueDeprecation: true,
      oneOf: true, // so that the editor marks a condition with two kinds as wrong
      specifiedByUrl: true,
    }),
  );
  const sockets = openSockets(token, onRefused);
  return {
    viewer,
    schema: buildClientSchema(introspection),
    fetcher: (asked) => {
      const params = withItsOperation(asked);
      const answers = isSubscription(params)
        ? follow(sockets, params)
        : post(token, params, onRefused).catch(throwInWords);
      return answers as FetcherReturnType; // the type requires error objects with methods, which parsed JSON does not have
    },
    close: () => void sockets.dispose(),
  };
}

async function ask<Data>(token: string, query: string): Promise<Data> {
  let isRefused = false;
  const answer = await post<Data>(token, { query }, () => (isRefused = true));
  if (isRefused) throw new Unauthenticated("This token opens nothing here.");
  if (!answer.data)
    throw new Error(answer.errors?.[0]?.message ?? "there is no data");
  return answer.data;
}

type Answer<Data> = { data?: Data | null; errors?: { message: string }[] };

async function post<Data>(
  token: string,
  params: FetcherParams,
  onRefused: () => void,
): Promise<Answer<Data>> {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json, application/json;q=0.9",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(params),
  });
  if (response.status === 401) onRefused();
  const text = await response.text();
  try {
    return JSON.parse(text) as Answer<Data>;
  } catch {
    // The body is not JSON: the error page of a proxy, for example.
    return {
      errors: [
        { message: `HTTP status ${response.status}: ${text.slice(0, 500)}` },
      ],
    };
  }
}

/** Removes an operation name that the document does not contain: just after a change of tabs, the editor can send the name from the other tab. */
function withItsOperation(params: FetcherParams): FetcherParams {
  const names = operations(params).map((it) => it.name?.value);
  return names.includes(params.operationName ?? undefined)
    ? params
    : { ...params, operationName: undefined };
}

function isSubscription(params: FetcherParams): boolean {
  return operations(params).some(
    (it) =>
      it.operation === OperationTypeNode.SUBSCRIPTION &&
      (!params.operationName || it.name?.value === params.operationName),
  );
}

/** The operations of the document, or none if it does not parse. The API then reports what is wrong and where. */
function operations({ query }: FetcherParams) {
  try {
    return parse(query).definitions.filter(
      (it) => it.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    return [];
  }
}

function openSockets(token: string, onRefused: () => void): Client {
  const url = new URL(ENDPOINT);
  url.protocol = url.protocol.replace("http", "ws");
  return createClient({
    url: url.href,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0, // an automatic restart would leave a gap in the results that nobody notices
    on: {
      closed: (event) => {
        if (isRefusal(event)) onRefused();
      },
    },
  });
}

/** The results of a subscription. If the socket is closed, it throws an error that says so. */
function follow(sockets: Client, params: FetcherParams) {
  const results = sockets.iterate(params);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        results.next().catch((error: unknown) =>
          throwInWords(
            isClosing(error)
              ? new Error(
                  `The socket was closed (${error.code}): ${error.reason || "the API went away"}. Run the operation again, with the last \`cursor\` as \`after\`.`,
                )
              : error,
          ),
        ),
      return: () => results.return?.(),
    }),
  };
}

/** Throws in the form of the API's errors. GraphiQL would show the stack of an Error, which points into bundled code. */
function throwInWords(error: unknown): never {
  throw error instanceof Error ? { message: error.message } : error;
}

function isClosing(event: unknown): event is CloseEvent {
  return typeof (event as CloseEvent | undefined)?.code === "number";
}

function isRefusal(event: unknown): boolean {
  return (
    isClosing(event) &&
    (event.code === UNAUTHORIZED || event.code === FORBIDDEN)
  );
}
