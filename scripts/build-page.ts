/** Builds the live page into `dist/web`, with the licences of what is inside. */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { licences } from "./licences.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export async function buildPage(): Promise<void> {
  const modules = new Set<string>();
  await build({
    configFile: join(ROOT, "web/vite.config.ts"),
    logLevel: "warn",
    plugins: [
      {
        name: "modules",
        // Style sheets are imported by style sheets, which no module tells of; uPlot's comes with its code.
        moduleParsed: ({ id }) => void modules.add(relative(ROOT, id)),
      },
    ],
  });
  await writeFile(join(ROOT, "dist/web/THIRD-PARTY-LICENSES"), await licences(modules));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
