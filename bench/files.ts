/**
 * `npm run bench:files [case…] [-- --gib N --write --note TEXT]`: what many files cost, and a big backlog: the agent as published, into
 * an Elasticsearch that answers at once. `--write`: into docs/benchmarks.md.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writePart } from "./document.ts";
import { CASES } from "./files-cases.ts";
import { published } from "./published.ts";
import { startSink } from "./sink/client.ts";
import { PLAIN } from "./sink/orders.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    gib: { type: "string", default: "2" },
    write: { type: "boolean", default: false },
    note: { type: "string", default: "" },
  },
});
const cases = CASES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const folder = await mkdtemp(join(tmpdir(), "audit-agent-files-"));
const sink = await startSink();
await sink.begin(PLAIN);
try {
  const launcher = await published(join(folder, "package"));
  const rows: string[] = [];
  for (const { name, what, run } of cases) {
    const home = join(folder, name);
    await mkdir(home);
    for (const [part, result] of await run({ folder: home, launcher, sink, gib: Number(values.gib) })) {
      rows.push(`| ${what} | ${part} | ${result} |`);
      console.log(`${name}: ${part}: ${result}`);
    }
    await sink.begin(PLAIN);
    await rm(home, { recursive: true, force: true });
  }
  const table = ["| files | | |", "| --- | --- | --- |", ...rows].join("\n");
  if (values.write) {
    const about =
      "Many files, and a big backlog: CPU time and memory are the agent's own, start-up included; the\ndestination answers at once.";
    await writePart("npm run bench:files", `${about}\n\n${table}`, values.note);
  }
} finally {
  sink.close();
  await rm(folder, { recursive: true, force: true });
}
