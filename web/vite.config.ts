/** Builds the live page into `dist/web`, which the agent serves. Nothing of it comes from elsewhere at run time. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Relative, so that the page also works below a path of a reverse proxy.
  base: "./",
  publicDir: false,
  // Never for development: that puts the paths of this machine into what is published, wherever NODE_ENV is "test".
  oxc: { jsx: { runtime: "automatic", importSource: "preact", development: false } },
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    // Inlined assets would be `data:` addresses, which the content security policy allows for images alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `npm run dev:web` shows the page with the data of an agent that runs on this machine.
  server: { proxy: { "/api": "http://127.0.0.1:2020" } },
});
