/** `npm run bench [job…] [-- option…]`: this agent and those found beside it, over generated logs, to their ends. `-- --help` tells the rest. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CORPUS_KINDS, type Corpus, type CorpusKind, corpus } from "./corpus.ts";
import { writePart } from "./document.ts";
import { NoSource } from "./entries/entry.ts";
import { fanOut } from "./fan-out.ts";
import { JOBS } from "./jobs.ts";
import { published } from "./published.ts";
import { QUIET_JOBS } from "./quiet.ts";
import { about, table } from "./report.ts";
import { compete, type JobResult } from "./rounds.ts";
import { type Orders, PLAIN } from "./sink/orders.ts";
import { sinkLimit } from "./sink-limit.ts";

const FAN_OUT = "fan-out";
const SINK = "sink";
const NAMES = [...JOBS.map(({ name }) => name), FAN_OUT, SINK, ...QUIET_JOBS.map(({ name }) => name)];

/** `--sink`: how the destinations behave. */
const BEHAVIOURS: Readonly<Record<string, Orders>> = {
  fast: PLAIN,
  slow: { ...PLAIN, slowMs: 50 },
  refusing: { ...PLAIN, refuseEvery: 10 },
};

const USAGE = `npm run bench [job…] [-- option…]

Jobs (all of them by default):
  ${NAMES.join(", ")}
fan-out: five destinations at once, one dead and one slow. sink: what the sink itself can take. startup, idle, latency: the quiet system.

Options:
  --corpus KIND   ${CORPUS_KINDS.join(", ")} (mixed); real needs logs, see AUDIT_CORPORA in CONTRIBUTING.md
  --entries N     entries of the corpus (2,000,000 mixed, fewer of larger ones)
  --repeats N     timed runs of each candidate (3)
  --seed N        of the corpus (1)
  --sink HOW      ${Object.keys(BEHAVIOURS).join(", ")} (fast): slow answers ${BEHAVIOURS.slow!.slowMs} ms late, refusing says busy to every ${BEHAVIOURS.refusing!.refuseEvery}th request
                  (Elasticsearch 429 as a whole or for each document, Splunk 503 code 9, CloudWatch throttling, S3 SlowDown)
  --no-verify     without the first run of each candidate, not timed, in which a hash of all content is compared
  --no-peers      this agent alone
  --write         the tables into docs/benchmarks.md, a part for each set of jobs, corpus and sink
  --note TEXT     what a reader must know of this very run`;

const OPTIONS = {
  corpus: { type: "string", default: "mixed" },
  entries: { type: "string", default: "0" },
  repeats: { type: "string", default: "3" },
  seed: { type: "string", default: "1" },
  sink: { type: "string", default: "fast" },
  verify: { type: "boolean", default: true },
  peers: { type: "boolean", default: true },
  write: { type: "boolean", default: false },
  note: { type: "string", default: "" },
  help: { type: "boolean", default: false },
} as const;

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, allowNegative: true, options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const kind = oneOf("corpus", values.corpus, CORPUS_KINDS);
  const orders = BEHAVIOURS[oneOf("sink", values.sink, Object.keys(BEHAVIOURS))]!;
  for (const name of positionals) oneOf("job", name, NAMES);
  const entries = numberOf("entries", values.entries, 0);
  const repeats = numberOf("repeats", values.repeats, 1);
  const seed = numberOf("seed", values.seed, 0);

  const asked = (name: string) => positionals.length === 0 || positionals.includes(name);
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-bench-"));
  try {
    const launcher = await published(join(folder, "package"));
    const parts: string[] = [];
    const made = new Map<CorpusKind, Corpus>();
    const corpusOf = async (wanted: CorpusKind) => {
      const ready = made.get(wanted) ?? (await corpus(wanted, entries, seed));
      if (!made.has(wanted)) console.log(said(ready));
      made.set(wanted, ready);
      return ready;
    };
    const results: JobResult[] = [];
    for (const job of JOBS.filter(({ name }) => asked(name))) {
      const input = await corpusOf(job.corpus ?? kind);
      const { verify, peers } = values;
      results.push(await compete(job, { folder, launcher, corpus: input, orders, repeats, verify, peers }));
    }
    if (results.length > 0) parts.push(about(results, { orders, repeats, verified: values.verify }), table(results));
    if (asked(FAN_OUT)) parts.push(await attempted(FAN_OUT, fanOut({ folder, launcher }, await corpusOf(kind))));
    if (asked(SINK)) parts.push(await attempted(SINK, sinkLimit(await corpusOf(kind))));
    const quiet: string[] = [];
    for (const { name, what, run } of QUIET_JOBS.filter(({ name }) => asked(name)))
      quiet.push(`| ${name} | ${what} | ${await attempted(name, run({ folder, launcher }))} |`);
    if (quiet.length > 0) parts.push(["| job | what | |", "| --- | --- | --- |", ...quiet].join("\n"));
    const text = parts.join("\n\n");
    console.log(`\n${text}`);
    if (values.write) await writePart(commandOf(positionals, kind, values.sink), text, values.note);
    // A peer that fails is its own trouble.
    const names = results.flatMap(({ job, results: all }) => all.slice(0, job.variants.length));
    if (names.some(({ error }) => error !== undefined)) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a benchmark says, or why it says nothing: the others go on. */
async function attempted(name: string, result: Promise<string>): Promise<string> {
  try {
    return await result;
  } catch (error) {
    process.exitCode = 1;
    console.log(`  ${name} failed: ${(error as Error).message}`);
    return `${name} failed: ${(error as Error).message.split("\n")[0]!}`;
  }
}

/** What made a part of the document: of other jobs, another corpus or another sink it is another part. */
function commandOf(jobs: readonly string[], kind: CorpusKind, sink: string): string {
  const options = [kind === "mixed" ? "" : ` --corpus ${kind}`, sink === "fast" ? "" : ` --sink ${sink}`].join("");
  return `npm run bench${jobs.map((name) => ` ${name}`).join("")}${options === "" ? "" : ` --${options}`}`;
}

function said({ kind, entries, bytes }: Corpus): string {
  return `${entries.toLocaleString("en-US")} ${kind} entries, ${(bytes / entries).toFixed(0)} bytes each, ${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function oneOf<T extends string>(what: string, given: string, known: readonly T[]): T {
  const found = known.find((name) => name === given);
  if (found === undefined) throw new UsageError(`${what} ${given} is not known, but ${known.join(", ")}`);
  return found;
}

function numberOf(what: string, given: string, least: number): number {
  const number = Number(given);
  if (!Number.isSafeInteger(number) || number < least) throw new UsageError(`--${what} must be a number from ${least}`);
  return number;
}

try {
  await main();
} catch (error) {
  if (error instanceof NoSource) console.log(`skipped: ${error.message}`);
  else if (error instanceof UsageError) {
    console.error(`${error.message}; npm run bench -- --help tells what there is`);
    process.exitCode = 2;
  } else throw error;
}
