/** One connection a token: queries and mutations by HTTP, all subscriptions on one websocket. */

import { createClient as createSocket, type Client as Socket } from "graphql-ws";
import { cacheExchange, Client, fetchExchange, mapExchange, subscriptionExchange } from "urql";

import { resuming } from "./resuming";

const ENDPOINT = new URL("/graphql", document.baseURI);
const PING_MILLISECONDS = 10_000;
const PONG_MILLISECONDS = 5_000;

export type Connection = { client: Client; close: () => void };

/** `onRefused` is called when the API does not, or no longer, take the token. */
export function connect(token: string, onRefused: () => void): Connection {
  const socket = openSocket(token);
  const client = new Client({
    url: ENDPOINT.href,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [
      mapExchange({
        onError: (error) => {
          if (error.graphQLErrors.some((it) => it.extensions.code === "UNAUTHENTICATED")) onRefused();
        },
      }),
      cacheExchange, // a mutation that answers with a Segment has the queries for segments asked again
      fetchExchange,
      subscriptionExchange({ forwardSubscription: resuming(socket, onRefused) }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** A socket that notices when nobody is at the other end any more. Coming back is the affair of `resuming`. */
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
