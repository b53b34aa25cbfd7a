/**
 * `npm run bench:guard [-- --write --rounds N]`: fails when one of the main jobs costs a quarter more CPU than the baseline says.
 * Against the clock that could not be told on a shared machine, nor on another one; so each job's CPU time is measured in parts of that of a
 * fixed piece of work (`reference.ts`), which runs right before and right after it. `--write` makes the present figures the baseline.
 */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Corpus, corpus } from "./corpus.ts";
import { JOBS, type Job } from "./jobs.ts";
import { measure } from "./measure.ts";
import { type Place, runJob } from "./once.ts";
import { published } from "./published.ts";
import { type Sink, startSink } from "./sink/client.ts";
import { judge, LIMIT, type Ratios, ratiosOf, START, type Verdict } from "./verdict.ts";

const BASELINE = fileURLToPath(new URL("baseline.json", import.meta.url));
const REFERENCE = fileURLToPath(new URL("reference.ts", import.meta.url));
const GUARDED = ["null", "elasticsearch", "splunk", "syslog", "s3"];
const ENTRIES = 300_000;
const SEED = 1;
/** Enough for a median; of what seems slower then, a second look and a third decide. */
const ROUNDS = 3;
const MORE_ROUNDS = 3;
const MOST_ROUNDS = 9;

interface Baseline {
  /** Where it was measured: elsewhere the ratios may differ by themselves. */
  readonly processor: string;
  readonly node: string;
  readonly ratios: Ratios;
}

interface Task {
  readonly name: string;
  run(): Promise<number>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      write: { type: "boolean", default: false },
      rounds: { type: "string" },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-guard-"));
  const sink = await startSink();
  const drain = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  try {
    await once(drain, "listening");
    const place = { folder, launcher: await published(join(folder, "package")) };
    const input = await corpus("mixed", ENTRIES, SEED);
    const { port } = drain.address() as AddressInfo;
    const reference = async () =>
      (await measure(process.execPath, [REFERENCE, input.path, folder, `${port}`])).cpuSeconds;
    const rounds = new Rounds(await tasks(place, input, sink), reference);
    await rounds.warmUp();
    if (values.write) await renew(rounds, Number(values.rounds ?? MOST_ROUNDS));
    else if (!(await guard(rounds, Number(values.rounds ?? ROUNDS)))) process.exitCode = 1;
  } finally {
    sink.close();
    drain.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function tasks(place: Place, input: Corpus, sink: Sink): Promise<Task[]> {
  const line = await corpus("mixed", 1, SEED);
  const find = (name: string) => JOBS.find((job) => job.name === name)!;
  const task = (name: string, job: Job, of: Corpus): Task => ({
    name,
    run: async () => (await runJob(place, job, of, sink)).cpuSeconds,
  });
  return [task(START, find("null"), line), ...GUARDED.map((name) => task(name, find(name), input))];
}

/** Job and reference in turns, so that whatever else the machine does meets both. */
class Rounds {
  readonly tasks: readonly Task[];
  readonly #reference: () => Promise<number>;
  readonly ratios = new Map<string, number[]>();

  constructor(tasks: readonly Task[], reference: () => Promise<number>) {
    this.tasks = tasks;
    this.#reference = reference;
    for (const { name } of tasks) this.ratios.set(name, []);
  }

  /** The first of each, which finds nothing in the page cache, counts for nothing. */
  async warmUp(): Promise<void> {
    await this.tasks[0]!.run();
    await this.#reference();
  }

  async run(rounds: number, tasks = this.tasks): Promise<void> {
    let before = await this.#reference();
    for (let i = 0; i < rounds; i++) {
      for (const { name, run } of tasks) {
        const cost = await run();
        const after = await this.#reference();
        this.ratios.get(name)!.push(cost / ((before + after) / 2));
        before = after;
      }
    }
  }
}

async function guard(rounds: Rounds, first: number): Promise<boolean> {
  const baseline = JSON.parse(await readFile(BASELINE, "utf8")) as Baseline;
  await rounds.run(first);
  let verdicts = judge(rounds.ratios, baseline.ratios);
  for (let done = first; done < MOST_ROUNDS && verdicts.some(({ slower }) => slower); done += MORE_ROUNDS) {
    const doubtful = verdicts.filter(({ slower }) => slower).map(({ job }) => job);
    console.log(`looking again at ${doubtful.join(", ")}`);
    // The start is subtracted from all others, so it has to be as certain as they are.
    await rounds.run(
      MORE_ROUNDS,
      rounds.tasks.filter(({ name }) => name === START || doubtful.includes(name)),
    );
    verdicts = judge(rounds.ratios, baseline.ratios);
  }
  for (const verdict of verdicts) console.log(line(verdict, rounds.ratios.get(verdict.job)!));
  const here = processor();
  if (here !== baseline.processor)
    console.log(`The baseline is of another processor: ${baseline.processor}; this is ${here}.`);
  return verdicts.every(({ slower }) => !slower);
}

function line({ job, ratio, change, slower }: Verdict, all: readonly number[]): string {
  const percent = change === undefined ? "no baseline" : `${change < 1 ? "" : "+"}${((change - 1) * 100).toFixed(0)} %`;
  const rounds = all.map((value) => value.toFixed(2)).join(" ");
  const verdict = slower ? `SLOWER than the ${((LIMIT - 1) * 100).toFixed(0)} % allowed` : "ok";
  return `${job.padEnd(14)} ${ratio.toFixed(2).padStart(6)}  ${percent.padStart(6)}  ${verdict}  (rounds: ${rounds})`;
}

async function renew(rounds: Rounds, count: number): Promise<void> {
  await rounds.run(count);
  const ratios = Object.fromEntries(
    Object.entries(ratiosOf(rounds.ratios)).map(([job, ratio]) => [job, Number(ratio.toFixed(3))]),
  );
  const baseline: Baseline = { processor: processor(), node: process.versions.node, ratios };
  await writeFile(BASELINE, `${JSON.stringify(baseline, null, 2)}\n`);
  for (const [job, ratio] of Object.entries(ratios)) console.log(`${job.padEnd(14)} ${ratio.toFixed(3).padStart(7)}`);
}

const processor = () => cpus()[0]!.model;

await main();
