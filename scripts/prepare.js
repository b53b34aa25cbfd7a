/** After `npm ci`: builds the live page, which the agent serves. Plain JavaScript: Node runs no TypeScript below `node_modules`. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("..", import.meta.url);
const vite = new URL("node_modules/vite/bin/vite.js", root);
const at = fileURLToPath(root);

// Without the development dependencies (`npm install --omit=dev`) there is nothing to build with, and the agent runs without its page.
if (existsSync(vite) && existsSync(new URL("web/index.html", root))) {
  const args = [fileURLToPath(vite), "build", "--config", "web/vite.config.ts", "--logLevel", "warn"];
  const { status } = spawnSync(process.execPath, args, { cwd: at, stdio: "inherit" });
  process.exitCode = status ?? 1;
}
