import { defineConfig, type Plugin } from "vite";

import { conditionTypes } from "./conditions";
import { documentsByHash } from "./documents";

// Relative URLs, and one flat folder of files with hashed names. The page is at / and at the addresses of src/paths.ts, and its files
// are /console/<name>. The server writes into <base> how many folders deep an address is. So a proxy may put a prefix before all of them.

// `npm run dev` serves the page itself and forwards the API's requests and the websocket, so the browser sees one origin.
const api = process.env.AUDIENCE_URL ?? "http://127.0.0.1:8000/graphql";
const proxied = { target: new URL(api).origin, ws: true };

const baseOfDevelopment: Plugin = {
  name: "base-of-development",
  apply: "serve",
  transformIndexHtml: (html) => html.replace('<base href="./" />', '<base href="/" />'),
};

export default defineConfig({
  base: "./",
  plugins: [baseOfDevelopment, conditionTypes(), documentsByHash()],
  build: {
    assetsDir: "console",
    assetsInlineLimit: 0, // a strict content security policy would have to allow inlined code
    emptyOutDir: true,
    license: { fileName: "licenses.md" }, // the bundled packages may only be distributed with their licences
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: { "/graphql": proxied, "/graphiql": proxied, "^/sign-in/.*": proxied } },
});
