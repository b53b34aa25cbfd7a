// npm runs this after `npm ci` in a checkout, so that `npm start` shows the live page. Where the tools to build it are missing
// (`npm install --omit=dev`), on whatever old Node.js that may be, there is nothing to do: JavaScript, and no static import of them.
import { existsSync } from "node:fs";

const tools = ["vite", "preact", "uplot"];
const missing = tools.filter((name) => !existsSync(new URL(`../node_modules/${name}/package.json`, import.meta.url)));
const sources = new URL("../web/vite.config.ts", import.meta.url);

if (missing.length > 0 || !existsSync(sources)) {
  console.log(`The live page is not built: ${missing.join(", ") || "its sources"} missing.`);
} else {
  const { buildPage } = await import("./build-page.ts");
  await buildPage();
}
