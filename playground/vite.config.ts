import { defineConfig } from "vite";

// Relative URLs, and one flat folder of files with hashed names: the page is /graphiql and its files are /graphiql/<name>,
// even if a proxy puts a prefix before both.
export default defineConfig({
  base: "./",
  build: {
    assetsDir: "graphiql",
    assetsInlineLimit: 0, // a strict content security policy would have to allow inlined code
    chunkSizeWarningLimit: 8000,
    emptyOutDir: true,
    license: { fileName: "licenses.md" }, // the bundled packages may only be distributed with their licences
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
});
