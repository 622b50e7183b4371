import { defineConfig } from "vite";

// The page and the API share one origin, as behind a proxy in production: so no CORS is needed. The proxy also forwards the websocket.
const api = process.env.AUDIENCE_URL ?? "http://127.0.0.1:8000/graphql";
const proxy = { "/graphql": { target: new URL(api).origin, ws: true } };

export default defineConfig({ server: { proxy }, preview: { proxy } });
