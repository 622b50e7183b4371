import { defineConfig } from "vite";

// Relative addresses, and one flat folder of files with hashed names: the page is /graphiql, its files are /graphiql/<name>,
// also where a proxy puts a prefix before both.
export default defineConfig({
  base: "./",
  build: {
    assetsDir: "graphiql",
    assetsInlineLimit: 0, // what is inlined, a strict policy for scripts would have to allow
    chunkSizeWarningLimit: 8000,
    emptyOutDir: true,
    license: { fileName: "licenses.md" }, // what is bundled may only be handed on with them
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
});
