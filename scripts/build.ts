/** Builds what is published: `dist/main.js` and its chunks, the live page, everything they need inside, and the licences of what is inside. */
import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";
import { buildPage } from "./build-page.ts";
import { licences } from "./licences.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What costs every start, and is never used. */
const trimmed: Plugin = {
  name: "trimmed",
  setup({ onResolve, onLoad }) {
    // What an ES module imports of a builtin, Node makes by reading all that the builtin exports: of `node:http` also `WebSocket`, for which
    // it loads an undici of its own (40 ms of CPU, 4 to 15 MiB). Asked for directly, the builtin stays unread.
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === "require-call" ? { external: true } : { path: "node:http", namespace: "builtin" },
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
    // The Elasticsearch client has a connection on undici, which loads all of it; it is given another one, that of `connection.ts`.
    onResolve({ filter: /^undici$/ }, ({ path, importer }) =>
      importer.includes("/@elastic/transport/") ? { path, namespace: "unused" } : undefined,
    );
    onLoad({ filter: /./, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** Bundles `entry` into `outdir`. Heavy libraries stay chunks of their own: they are loaded where the code imports them, when it does. */
export async function bundle(entry: string, outdir: string, plugins: readonly Plugin[] = []): Promise<Metafile> {
  await empty(outdir);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: entry },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // Short code is compiled sooner; names stay, so that a stack trace can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    metafile: true,
    plugins: [trimmed, ...plugins],
    chunkNames: "chunks/[name]-[hash]",
    // Libraries in CommonJS ask for Node's own modules with `require`, which an ES module does not have.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  await writeFile(join(outdir, "THIRD-PARTY-LICENSES"), await licences(Object.keys(metafile.inputs)));
  return metafile;
}

/** All but the live page, which has a build of its own and may be there already. */
async function empty(outdir: string): Promise<void> {
  const names = await readdir(outdir).catch(() => []);
  for (const name of names) if (name !== "web") await rm(join(outdir, name), { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const entry = join(ROOT, "agent/main.ts");
  if (!existsSync(entry)) throw new Error("agent/main.ts is missing");
  const { outputs } = await bundle(entry, join(ROOT, "dist"));
  const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0);
  await buildPage();
  console.log(`dist: ${Object.keys(outputs).length} files, ${(bytes / 1e6).toFixed(2)} MB`);
}
