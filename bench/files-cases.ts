/** Situations with many files, or with much in them. */
import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, empty, until } from "./agent.ts";
import { OUTPUTS } from "./jobs.ts";
import { sized } from "./made.ts";
import type { Place } from "./once.ts";
import type { Sink } from "./sink/client.ts";
import { PLAIN } from "./sink/orders.ts";

export interface Case {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  /** What was measured, and what came out. */
  run(where: Where): Promise<Result[]>;
}

interface Where extends Place {
  readonly sink: Sink;
  /** Size of the backlog. */
  readonly gib: number;
}

type Result = readonly [part: string, result: string];

const TAILED = 2_000;
const ACTIVE = 50;
const OLD = 100_000;
const APPEARING = 500;
const TINY = 20_000;
const ENTRY_BYTES = 468;
/** Until nothing more comes of the start: positions stored, timers run out. */
const SETTLE_MS = 15_000;
const IDLE_MS = 20_000;
const BURSTS = 100;
const BURST_MS = 100;
const DAY_S = 86_400;

export const CASES: readonly Case[] = [
  { name: "tailed", what: "2,000 tailed, 50 of them written to", run: tailed },
  { name: "old", what: "100,000 old ones in the directory", run: old },
  { name: "appear", what: "500 that appear at once", run: appear },
  { name: "tiny", what: "20,000 of one entry each", run: tiny },
  { name: "backlog", what: "one with a backlog", run: backlog },
];

async function tailed(where: Where): Promise<Result[]> {
  const results: Result[] = [];
  for (const watch of ["notify", "poll"]) {
    const active = make(where.folder, TAILED, 0).slice(0, ACTIVE);
    const agent = await start(where, `, group_by: file, watch: ${watch}`);
    try {
      await arrived(where.sink, TAILED);
      results.push([`${watch}: all delivered`, cost(agent)]);
      await sleep(SETTLE_MS);
      const idle = await agent.shareDuring(() => sleep(IDLE_MS));
      results.push([`${watch}: nothing is written`, `${percent(idle)}, ${mib(agent.residentBytes)} resident`]);
      const took: number[] = [];
      const busy = await agent.shareDuring(async () => {
        for (let i = 1; i <= BURSTS; i++) took.push(await burst(where.sink, active, TAILED + i * ACTIVE));
      });
      took.sort((a, b) => a - b);
      const late = `all of them delivered after ${took[BURSTS >> 1]!.toFixed(0)} ms (worst ${took.at(-1)!.toFixed(0)} ms)`;
      results.push([`${watch}: an entry into each of 50, ten times a second`, `${percent(busy)}, ${late}`]);
    } finally {
      await finish(agent, where);
    }
  }
  return results;
}

/** Milliseconds until an entry in each of the files has arrived. */
async function burst(sink: Sink, logs: readonly string[], total: number): Promise<number> {
  const from = performance.now();
  for (const log of logs) appendFileSync(log, entry(total));
  await arrived(sink, total, 2);
  const took = performance.now() - from;
  await sleep(Math.max(0, BURST_MS - took));
  return took;
}

async function old(where: Where): Promise<Result[]> {
  const { folder, sink } = where;
  make(folder, OLD, 30 * DAY_S);
  const options = ", group_by: pattern, ignore_older: 1d";
  const first = await start(where, options);
  const results: Result[] = [];
  try {
    const [fresh] = make(folder, 1, 0, "fresh");
    await arrived(sink, 1);
    results.push(["first start, `ignore_older: 1d`: a new entry delivered", cost(first)]);
    await sleep(SETTLE_MS);
    const idle = await first.shareDuring(() => sleep(IDLE_MS));
    results.push(["nothing is written", `${percent(idle)}, ${mib(first.residentBytes)} resident`]);
    appendFileSync(fresh!, entry(2));
    const from = performance.now();
    await arrived(sink, 2, 2);
    results.push(["a new entry delivered", `after ${(performance.now() - from).toFixed(0)} ms`]);
    await first.stop();
    appendFileSync(fresh!, entry(3));
    const second = await Agent.start(where, config(where, options));
    await arrived(sink, 3);
    results.push(["next start: a new entry delivered", cost(second)]);
    await second.stop();
  } finally {
    await finish(first, where);
  }
  return results;
}

async function appear(where: Where): Promise<Result[]> {
  const [log] = make(where.folder, 1, 0, "first");
  const agent = await start(where, ", group_by: file");
  try {
    await arrived(where.sink, 1);
    await sleep(SETTLE_MS / 5);
    const before = agent.usage.cpuSeconds;
    const from = performance.now();
    make(where.folder, APPEARING, 0, "next");
    const made = performance.now();
    await arrived(where.sink, 1 + APPEARING, 2);
    const took = performance.now() - from;
    const cpu = agent.usage.cpuSeconds - before;
    const result = `after ${took.toFixed(0)} ms (making them took ${(made - from).toFixed(0)}), ${cpu.toFixed(2)} CPU-s`;
    appendFileSync(log!, entry(1));
    return [["all delivered", `${result}, peak ${mib(agent.usage.peakBytes)}`]];
  } finally {
    await finish(agent, where);
  }
}

async function tiny(where: Where): Promise<Result[]> {
  make(where.folder, TINY, 0);
  const results: Result[] = [];
  for (const group of ["pattern", "file"]) {
    const agent = await start(where, `, group_by: ${group}`);
    try {
      await arrived(where.sink, TINY);
      results.push([`group_by: ${group}: all delivered`, cost(agent)]);
    } finally {
      await finish(agent, where);
    }
  }
  return results;
}

async function backlog(where: Where): Promise<Result[]> {
  const { folder, sink, gib } = where;
  const { entries, bytes } = await sized(join(folder, "logs"), ENTRY_BYTES, gib * 2 ** 30);
  const agent = await start(where, "");
  try {
    await until(
      async () => (await count(sink)) > 0,
      () => "nothing was delivered",
    );
    const first = `after ${agent.seconds.toFixed(2)} s`;
    await arrived(sink, entries, 50);
    const rate = `${Math.round(entries / agent.seconds / 1000)} k entries/s`;
    const perGb = `${(agent.usage.cpuSeconds / (bytes / 1e9)).toFixed(2)} CPU-s per GB`;
    return [
      [`${gib} GiB: the first delivered`, first],
      [`${gib} GiB: all delivered`, `${rate}, ${perGb}, peak ${mib(agent.usage.peakBytes)}`],
    ];
  } finally {
    await finish(agent, where);
  }
}

/** So many files of one entry, last changed so long ago; their paths. */
function make(folder: string, count: number, ageSeconds: number, name = "audit"): string[] {
  const logs = join(folder, "logs");
  mkdirSync(logs, { recursive: true });
  const time = Date.now() / 1000 - ageSeconds;
  return Array.from({ length: count }, (_, i) => {
    const path = join(logs, `${name}-${String(i).padStart(6, "0")}.jsonl`);
    // Two that begin alike would be looked at as copies of one another.
    writeFileSync(path, entry(`${name} ${i}`));
    if (ageSeconds > 0) utimesSync(path, time, time);
    return path;
  });
}

function entry(n: number | string): string {
  const text = "x".repeat(ENTRY_BYTES - 120);
  return `{"timestamp":"2026-02-01T09:00:17.123456Z","event":"session.start","level":"info","actor":"alice","n":"${n}","text":"${text}"}\n`;
}

const config = (
  { folder, sink }: Where,
  options: string,
) => `service: { data_dir: ${join(folder, "data")}, log_level: error }
pipeline:
  inputs: [{ name: tail, tag: audit, path: '${join(folder, "logs")}/*.jsonl'${options} }]
  outputs: [{ ${OUTPUTS.elasticsearch(sink)} }]
`;

function start(where: Where, options: string): Promise<Agent> {
  return Agent.start(where, config(where, options));
}

/** For another agent to begin anew. */
async function finish(agent: Agent, { folder, sink }: Where): Promise<void> {
  await agent.stop();
  await sink.begin(PLAIN);
  await empty(join(folder, "data"));
}

async function count(sink: Sink): Promise<number> {
  return (await sink.tallies()).elasticsearch?.entries ?? 0;
}

async function arrived(sink: Sink, entries: number, everyMs?: number): Promise<void> {
  let seen = 0;
  await until(
    async () => {
      seen = await count(sink);
      return seen >= entries;
    },
    () => `${seen} of ${entries} entries were delivered`,
    everyMs,
  );
  if (seen > entries) throw new Error(`${seen} entries arrived where ${entries} were written`);
}

const cost = (agent: Agent) =>
  `after ${agent.seconds.toFixed(2)} s, ${agent.usage.cpuSeconds.toFixed(2)} CPU-s, peak ${mib(agent.usage.peakBytes)}`;
const percent = (share: number) => `${(share * 100).toFixed(2)} % of a core`;
const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
