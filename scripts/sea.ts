/**
 * Builds the agent as one file, `dist-sea/audit-agent`: Node.js itself with the published files inside. It runs where there is no Node.js.
 *
 * The files lie in it as they do in the package (`bin/`, `dist/`, `config/schema.json`), in a file system of Node's own that only this process
 * sees, so that what is imported late stays unread until then: as one script with everything in it a start took 35 MB more.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { bundle } from "./build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WORKER = "agent/integrity/offline/worker.ts";

/** Other threads do not see the files inside: the module with which they begin is carried as text. */
async function threadsFromText(): Promise<Plugin> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [WORKER],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node26",
    minifySyntax: true,
    minifyWhitespace: true,
  });
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString("base64")}`;
  return {
    name: "threads-from-text",
    setup({ onLoad }) {
      onLoad({ filter: /\/integrity\/offline\/worker\.ts$/ }, () => ({
        contents: `export const WORKER = new URL(${JSON.stringify(url)});`,
      }));
    },
  };
}

/** Every file of `folder`, by the name it has inside. */
function filesOf(folder: string, inside: string): [string, string][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => [`${inside}/${name}`, join(folder, name)]);
}

/** Writes the executable, for the machine and with the Node that this runs on. */
export async function buildExecutable(output: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "audit-agent-sea-"));
  try {
    await bundle(join(ROOT, "agent/main.ts"), join(work, "dist"), [await threadsFromText()]);
    await writeFile(join(work, "main.js"), 'import "./bin/audit-agent.js";\n');
    const assets = Object.fromEntries([
      ...filesOf(join(ROOT, "dist/web"), "dist/web"),
      ...filesOf(join(work, "dist"), "dist"),
      ["bin/audit-agent.js", join(ROOT, "bin/audit-agent.js")],
      ["config/schema.json", join(ROOT, "config/schema.json")],
      ["package.json", join(ROOT, "package.json")],
    ]);
    const settings = {
      main: join(work, "main.js"),
      mainFormat: "module",
      output,
      disableExperimentalSEAWarning: true,
      useVfs: true,
      assets,
    };
    await writeFile(join(work, "sea.json"), JSON.stringify(settings));
    const made = spawnSync(process.execPath, ["--build-sea", join(work, "sea.json")], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`node --build-sea failed: ${made.stderr}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const output = process.argv[2] ?? join(ROOT, "dist-sea/audit-agent");
  await mkdir(join(output, ".."), { recursive: true });
  await buildExecutable(output);
  console.log(`${output}: ${(statSync(output).size / 1e6).toFixed(0)} MB`);
}
