/**
 * `npm run bench [job…] [-- --entries N --repeats N --seed N --write --note TEXT]`: the agent as published, over a generated corpus, to its end.
 * CPU and memory are the agent's own, from the kernel; what arrived is compared with what was written. `--write`: into docs/benchmarks.md.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "../scripts/build.ts";
import { type Corpus, corpus } from "./corpus.ts";
import { type Sink, same, startSink } from "./destination.ts";
import { median, writePart } from "./document.ts";
import { describe, fanOut } from "./fan-out.ts";
import { expectedAt, JOBS, type Job } from "./jobs.ts";
import { measure, type Usage } from "./measure.ts";
import { QUIET_JOBS } from "./quiet.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Result {
  readonly job: Job;
  readonly runs: readonly Usage[];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      entries: { type: "string", default: "2000000" },
      repeats: { type: "string", default: "3" },
      seed: { type: "string", default: "1" },
      write: { type: "boolean", default: false },
      note: { type: "string", default: "" },
    },
  });
  const asked = ({ name }: { name: string }) => positionals.length === 0 || positionals.includes(name);
  const jobs = JOBS.filter(asked);
  const quiet = QUIET_JOBS.filter(asked);
  const together = asked({ name: "fan-out" });
  const names = [...JOBS.map(({ name }) => name), "fan-out", ...QUIET_JOBS.map(({ name }) => name)];
  if (positionals.some((name) => !names.includes(name))) throw new Error(`jobs are ${names.join(", ")}`);
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-bench-"));
  try {
    const launcher = await published(join(folder, "package"));
    const tables: string[] = [];
    let input: Corpus | undefined;
    if (jobs.length > 0 || together) {
      input = await corpus(Number(values.entries), Number(values.seed));
      console.log(`${input.entries} entries, ${(input.bytes / input.entries).toFixed(0)} bytes each`);
      const results: Result[] = [];
      for (const job of jobs)
        results.push(await repeat(job, input, { folder, launcher, repeats: Number(values.repeats) }));
      if (jobs.length > 0) tables.push(table(results, input));
      if (together) tables.push(describe(await fanOut({ folder, launcher }, input), input));
    }
    if (quiet.length > 0) {
      const rows: string[] = [];
      for (const { name, what, run } of quiet) rows.push(`| ${name} | ${what} | ${await run({ folder, launcher })} |`);
      tables.push(["| job | what | |", "| --- | --- | --- |", ...rows].join("\n"));
    }
    const text = tables.join("\n\n");
    console.log(`\n${text}`);
    if (values.write && input) await writePart("npm run bench", `${about(input)}\n\n${text}`, values.note);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The package as users install it, without its documents. */
async function published(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await bundle(join(ROOT, "agent/main.ts"), join(folder, "dist"));
  for (const name of ["bin", "package.json"]) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  return join(folder, "bin/audit-agent.js");
}

async function repeat(
  job: Job,
  input: Corpus,
  { folder, launcher, repeats }: { folder: string; launcher: string; repeats: number },
): Promise<Result> {
  const sink = await startSink();
  const runs: Usage[] = [];
  try {
    for (let i = 0; i < repeats; i++) {
      const data = join(folder, `data-${job.name}-${i}`);
      const file = join(folder, `${job.name}.yaml`);
      await writeFile(file, job.config({ data, corpus: input.path, sink }));
      const usage = await measure(process.execPath, [launcher, "run", "--once", "--config", file]);
      await compare(job, input, sink);
      runs.push(usage);
      console.log(`  ${job.name}: ${cell(usage, input).join("  ")}`);
      await rm(data, { recursive: true, force: true });
    }
  } finally {
    sink.close();
  }
  return { job, runs };
}

/** Throws unless exactly what was to be delivered has arrived. */
async function compare({ destination }: Job, corpus: Corpus, sink: Sink): Promise<void> {
  if (!destination) return;
  const expected = expectedAt(destination, corpus, destination !== "s3");
  const received = (await sink.tallies())[destination];
  await sink.clear();
  if (same(expected, received)) return;
  throw new Error(
    `written ${JSON.stringify(expected)}, received ${JSON.stringify(received)}: something is lost or came twice`,
  );
}

function cell({ wallSeconds, cpuSeconds, peakBytes }: Usage, { entries }: Corpus): string[] {
  const perMillion = entries / 1e6;
  const rate = Math.round(entries / wallSeconds / 1000);
  return [
    `${rate} k entries/s`,
    `${(cpuSeconds / perMillion).toFixed(2)} CPU-s per million`,
    `${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
  ];
}

function table(results: readonly Result[], input: Corpus): string {
  const rows = results.map(({ job, runs }) => {
    const of = (key: keyof Usage) => median(runs.map((run) => run[key]));
    const usage = { wallSeconds: of("wallSeconds"), cpuSeconds: of("cpuSeconds"), peakBytes: of("peakBytes") };
    return `| ${job.name} | ${job.what} | ${cell(usage, input)
      .map((text) => /^[\d.]+( k)?/.exec(text)![0])
      .join(" | ")} |`;
  });
  return [
    "| job | what | entries/s | CPU-seconds per million | peak MiB |",
    "| --- | --- | --: | --: | --: |",
    ...rows,
  ].join("\n");
}

function about({ entries, bytes }: Corpus): string {
  return `Medians of the runs. ${entries.toLocaleString("en-US")} generated audit entries of ${Math.round(bytes / entries)} bytes on average,
read from a file on disk by the agent as published (\`run --once\`), start-up included. CPU and memory are the agent's own; the
destination is another process that answers as the real one does and checks that exactly what was to be delivered has arrived.`;
}

await main();
