import { defineConfig } from "vite";

// The page and the API share one origin, as they would behind a proxy in production: no CORS, and the Host that the server
// sees is the one that the browser's Origin names. The proxy carries the websocket too.
const api = process.env.AUDIENCE_URL ?? "http://127.0.0.1:8000/graphql";
const proxy = { "/graphql": { target: new URL(api).origin, ws: true } };

export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy },
  preview: { proxy },
});
