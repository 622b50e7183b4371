import { createClient } from "graphql-ws";
import { Client, fetchExchange, subscriptionExchange } from "urql";

/** Queries over HTTP, subscriptions over one websocket, which connects again by itself. */
export function connect(token: string): Client {
  const authorization = `Bearer ${token}`;
  const socket = createClient({
    url: `${location.origin.replace("http", "ws")}/graphql`,
    connectionParams: { authorization },
    retryAttempts: Infinity,
    shouldRetry: () => true,
  });
  return new Client({
    url: "/graphql",
    preferGetMethod: false,
    fetchOptions: { headers: { authorization } },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = "", variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink as never) }),
        }),
      }),
    ],
  });
}
