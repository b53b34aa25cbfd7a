/**
 * `npm run bench:queue [-- --repeats N --write --note TEXT]`: what the disk queue costs by itself, for each way to store its blocks and for
 * several cadences of its group fsync. `--write`: into docs/benchmarks.md.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { median, writePart } from "./document.ts";
import type { Cadence, Throughput } from "./queue-run.ts";

const RUN = fileURLToPath(new URL("queue-run.ts", import.meta.url));
const MODES = [
  { name: "as they are (default)", args: ["none"] },
  { name: "zstd", args: ["zstd"] },
  { name: "AES-256-GCM", args: ["none", "key"] },
  { name: "zstd, AES-256-GCM", args: ["zstd", "key"] },
];
const CADENCES = [0, 10, 25, 50, 100, 250];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      repeats: { type: "string", default: "3" },
      write: { type: "boolean", default: false },
      note: { type: "string", default: "" },
    },
  });
  const repeats = Number(values.repeats);
  const text = `What the disk queue costs by itself: 468-byte entries in blocks of 1 MiB, fsynced in groups, taken from memory by one reader, and later
read from disk by another. Medians of ${repeats} runs in turn.

${await stored(repeats)}

How often it fsyncs: 1,000 entries a second, in a block every 5 ms. \`0\` is what the queue does: the next fsync begins when the last one has
ended, if there is something to sync. What is not durable is not delivered, so a slower cadence is latency.

${await paced(repeats)}`;
  console.log(text);
  if (values.write) await writePart("npm run bench:queue", text, values.note);
}

async function stored(repeats: number): Promise<string> {
  const runs = await inTurn<Throughput>(
    repeats,
    MODES.map(({ args }) => ["throughput", ...args]),
  );
  const medianOf = (i: number, key: keyof Throughput) => median(runs[i]!.map((run) => run[key]));
  const cpuOf = (i: number) => medianOf(i, "userPerMillion") + medianOf(i, "systemPerMillion");
  const rows = MODES.map(({ name }, i) => {
    const of = (key: keyof Throughput) => medianOf(i, key);
    const cpu = cpuOf(i);
    const cells = [cpu.toFixed(2), of("userPerMillion").toFixed(2), of("systemPerMillion").toFixed(2)];
    return `| ${[name, ...cells, of("writtenPerMillion").toFixed(0), of("mbPerSecond").toFixed(0), of("readPerMillion").toFixed(2)].join(" | ")} |`;
  });
  return [
    "| blocks | CPU-seconds per million | user | system | MB written per million | MB/s of entries | reading them from disk, CPU-seconds per million |",
    "| --- | --: | --: | --: | --: | --: | --: |",
    ...rows,
    "",
    verdict(cpuOf(1) - cpuOf(0), 1 - medianOf(1, "writtenPerMillion") / medianOf(0, "writtenPerMillion")),
  ].join("\n");
}

/** `more`: CPU-seconds per million with zstd, beyond those without; `saved`: the part of the bytes that are not written. */
function verdict(more: number, saved: number): string {
  const percent = `${Math.round(saved * 100)} %`;
  if (more <= 0)
    return `zstd is cheaper than the writes it saves: ${(-more).toFixed(2)} CPU-seconds per million less, and ${percent} of the bytes.`;
  return `zstd is dearer than the writes it saves, by ${more.toFixed(2)} CPU-seconds per million: it is worth it where the ${percent} of the bytes that it
does not write count for more than CPU, on a slow disk or a small one.`;
}

async function paced(repeats: number): Promise<string> {
  const runs = await inTurn<Cadence>(
    repeats,
    CADENCES.map((ms) => ["cadence", String(ms)]),
  );
  const rows = CADENCES.map((ms, i) => {
    const of = (key: keyof Cadence) => median(runs[i]!.map((run) => run[key]));
    const cells = [of("p50").toFixed(1), of("p99").toFixed(1), of("syncsPerSecond").toFixed(0)];
    return `| ${[ms, ...cells, `${(of("cpuShare") * 100).toFixed(1)} %`].join(" | ")} |`;
  });
  return [
    "| at most one fsync in, ms | appended → given to the output, p50 ms | p99 ms | fsyncs per second | of a core |",
    "| --: | --: | --: | --: | --: |",
    ...rows,
  ].join("\n");
}

/** Each in a process of its own, with a folder of its own; the results of each. */
async function inTurn<T>(repeats: number, runs: readonly string[][]): Promise<T[][]> {
  const results: T[][] = runs.map(() => []);
  for (let i = 0; i < repeats; i++) {
    for (const [n, args] of runs.entries()) {
      const dir = await mkdtemp(join(tmpdir(), "audit-agent-queue-"));
      try {
        const { stdout } = await promisify(execFile)(process.execPath, [RUN, dir, ...args]);
        results[n]!.push(JSON.parse(stdout) as T);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    }
  }
  return results;
}

await main();
