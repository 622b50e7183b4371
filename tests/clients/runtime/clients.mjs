// One scenario of one client, as its documentation has it set up; what became of it goes to stdout as JSON.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";

const { URL: url, SOCKET_URL: socketUrl, TOKEN: token } = process.env;
const [scenario, ...words] = process.argv.slice(2);
const QUERY = "query Viewer { viewer { workspace { name } } }";
const authorization = `Bearer ${token}`;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** fetch that keeps what was sent, and with which status it was answered. */
const sent = [];
const fetch = async (input, init) => {
  const body = init.body ? JSON.parse(init.body) : Object.fromEntries(new globalThis.URL(input).searchParams);
  const response = await globalThis.fetch(input, init);
  const asked = { query: body.query, documentId: body.documentId, method: init.method };
  sent.push({ ...asked, hasQuery: "query" in body, status: response.status });
  return response;
};

const scenarios = {
  /** graphql-ws, with these connectionParams and these headers on the upgrade. */
  async socket(params, headers) {
    class WithHeaders extends WebSocket {
      constructor(address, protocols) {
        super(address, protocols, { headers: JSON.parse(headers) });
      }
    }
    return await firstResult({ connectionParams: JSON.parse(params), webSocketImpl: WithHeaders });
  },

  /** graphql-ws, which says "refused" when its socket was closed, and goes on trying. */
  async refused() {
    const codes = [];
    const result = await firstResult({
      connectionParams: { authorization },
      webSocketImpl: WebSocket,
      retryAttempts: 50,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
      on: {
        closed: (event) => {
          codes.push(event.code);
          console.error("refused");
        },
      },
    });
    return { result, codes };
  },

  async apollo(method) {
    const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: method === "GET" });
    const client = new ApolloClient({
      cache: new InMemoryCache(),
      link: persisted.concat(new HttpLink({ uri: url, headers: { authorization }, fetch })),
    });
    const ask = async () => (await client.query({ query: gql(QUERY), fetchPolicy: "network-only" })).data;
    return { data: [await ask(), await ask()].map((data) => data.viewer.workspace.name), sent };
  },

  /** A cache with the possible types of a file: it returns the fields of a fragment on an interface. */
  async possibleTypes(file) {
    const possibleTypes = file ? JSON.parse(await readFile(file, "utf8")) : undefined;
    const client = new ApolloClient({
      cache: new InMemoryCache({ possibleTypes }),
      link: new HttpLink({ uri: url, headers: { authorization }, fetch }),
    });
    const query = gql`{ previewSegment(condition: {any: []}, comparedTo: "seg_none") { ...Failure } } fragment Failure on UserError { message path }`;
    await client.query({ query });
    return client.readQuery({ query });
  },

  async urql(method) {
    const client = new Client({
      url,
      fetch,
      fetchOptions: { headers: { authorization } },
      exchanges: [persistedExchange({ preferGetForPersistedQueries: method === "GET" ? "force" : false }), fetchExchange],
    });
    const ask = async () => (await client.query(QUERY, {}).toPromise()).data;
    return { data: [await ask(), await ask()].map((data) => data.viewer.workspace.name), sent };
  },

  /** A document without a text, as build tools make it for production. */
  async urqlById(documentId) {
    process.env.NODE_ENV = "production";
    const client = new Client({ url, fetch, fetchOptions: { headers: { authorization } }, exchanges: [fetchExchange] });
    const document = { kind: "Document", definitions: [], documentId };
    const { data } = await client.query(document, {}).toPromise();
    return { data: data?.viewer.workspace.name, sent };
  },
};

function firstResult(options) {
  const client = createClient({ url: socketUrl, ...options });
  return new Promise((resolve) => {
    client.subscribe(
      { query: QUERY },
      { next: (result) => resolve(result), error: (error) => resolve({ code: error.code }), complete: () => {} },
    );
  }).finally(() => client.dispose());
}

console.log(JSON.stringify(await scenarios[scenario](...words)));
process.exit(0);
