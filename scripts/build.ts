/** Builds what is published: `dist/main.js` and its chunks, everything it needs inside, the licences of what is inside, and the live page. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";

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
  await rm(outdir, { recursive: true, force: true });
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
  await writeFile(join(outdir, "THIRD-PARTY-LICENSES"), await licences(metafile));
  return metafile;
}

/** The licence texts of every package with a file in the bundle. Throws for a package without one: what cannot be named must not be shipped. */
async function licences(metafile: Metafile): Promise<string> {
  const folders = new Set<string>();
  for (const path of Object.keys(metafile.inputs)) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path);
    if (folder) folders.add(folder[0]);
  }
  const texts: string[] = [];
  for (const folder of [...folders].sort()) texts.push(await licence(join(ROOT, folder)));
  return `audit-agent contains the following packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

async function licence(folder: string): Promise<string> {
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
  if (names.length === 0 && typeof about.license !== "string") throw new Error(`${folder} has no licence`);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  const head = `${about.name} ${about.version} (${about.license ?? "see below"})`;
  return [head, ...texts.map((text) => text.trim())].join("\n\n").concat("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const entry = join(ROOT, "agent/main.ts");
  if (!existsSync(entry)) throw new Error("agent/main.ts is missing");
  const { outputs } = await bundle(entry, join(ROOT, "dist"));
  // After the bundle, which empties the folder.
  execFileSync("npm", ["run", "--silent", "build:web"], { cwd: ROOT, stdio: "inherit" });
  const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0);
  console.log(`dist: ${Object.keys(outputs).length} files, ${(bytes / 1e6).toFixed(2)} MB`);
}
