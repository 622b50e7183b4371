import { defineConfig } from "vite";

// The page and the API share one origin, as behind a proxy in production. So no CORS is needed, and the server receives
// the same Host that the browser's Origin names. The proxy also forwards the websocket.
const api = process.env.AUDIENCE_URL ?? "http://127.0.0.1:8000/graphql";
const proxy = { "/graphql": { target: new URL(api).origin, ws: true } };

export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy },
  preview: { proxy },
});
