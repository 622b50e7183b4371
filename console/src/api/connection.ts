/** One connection per token: queries and mutations over HTTP, all subscriptions on one websocket. */

import { createClient as createSocket, type Client as Socket } from "graphql-ws";
import { cacheExchange, Client, fetchExchange, mapExchange, subscriptionExchange } from "urql";

import { markOutdated } from "../outdated";
import { resuming } from "./resuming";

const ENDPOINT = new URL("graphql", document.baseURI);
const PING_MILLISECONDS = 10_000;
const PONG_MILLISECONDS = 5_000;

export type Connection = { client: Client; close: () => void };

/** Calls `onRefused` when the API does not accept the token, or no longer accepts it. */
export function connect(token: string, onRefused: () => void): Connection {
  const socket = openSocket(token);
  const client = new Client({
    url: ENDPOINT.href,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [
      mapExchange({
        onError: (error) => {
          const codes = error.graphQLErrors.map((it) => it.extensions.code);
          if (codes.includes("UNAUTHENTICATED")) onRefused();
          if (codes.includes("PERSISTED_QUERY_NOT_FOUND")) markOutdated();
        },
      }),
      cacheExchange, // after a mutation that returns a Segment, it repeats the queries for segments
      fetchExchange,
      subscriptionExchange({ forwardSubscription: resuming(socket, onRefused) }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** A socket that notices when the server has disappeared. `resuming` connects again. */
function openSocket(token: string): Socket {
  const url = new URL(ENDPOINT);
  url.protocol = url.protocol.replace("http", "ws");
  let overdue: ReturnType<typeof setTimeout> | undefined;
  const socket = createSocket({
    url: url.href,
    connectionParams: { authorization: `Bearer ${token}` },
    keepAlive: PING_MILLISECONDS,
    retryAttempts: 0,
    on: {
      ping: (isReceived) => {
        if (!isReceived) overdue = setTimeout(() => socket.terminate(), PONG_MILLISECONDS);
      },
      pong: (isReceived) => {
        if (isReceived) clearTimeout(overdue);
      },
      closed: () => clearTimeout(overdue),
    },
  });
  return socket;
}
