/**
 * Five destinations at once, one of them dead and one slow, beside each healthy one alone: what the healthy ones lose to the others is their
 * share of the CPU, and no more.
 */
import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Corpus } from "./corpus.ts";
import { expectedAt, filteredInto, OUTPUTS } from "./jobs.ts";
import { fromProc, type Usage } from "./measure.ts";
import { type Sink, same, startSink } from "./sink/client.ts";
import { type Destination, type Orders, PLAIN } from "./sink/orders.ts";

const HEALTHY: readonly Destination[] = ["elasticsearch", "syslog", "s3"];
const DEAD = "name: splunk_hec, match: '*', url: 'http://127.0.0.1:9', token: bench";
const ORDERS: Orders = { ...PLAIN, slowMs: 300, slow: ["cloudwatch"] };

interface FanOut {
  readonly alone: ReadonlyMap<Destination, Usage>;
  readonly together: Usage;
  /** Until each of the healthy ones had everything, all together. */
  readonly seconds: ReadonlyMap<Destination, number>;
}

/** A table of it. */
export async function fanOut(place: { folder: string; launcher: string }, corpus: Corpus): Promise<string> {
  const sink = await startSink();
  try {
    const alone = new Map<Destination, Usage>();
    for (const name of HEALTHY) alone.set(name, (await run(place, corpus, sink, [name], [])).usage);
    const { usage, seconds } = await run(place, corpus, sink, HEALTHY, [OUTPUTS.cloudwatch(sink), DEAD]);
    return describe({ alone, together: usage, seconds }, corpus);
  } finally {
    sink.close();
  }
}

/** Until all of `wanted` have everything. */
async function run(
  { folder, launcher }: { folder: string; launcher: string },
  corpus: Corpus,
  sink: Sink,
  wanted: readonly Destination[],
  others: readonly string[],
): Promise<{ usage: Usage; seconds: Map<Destination, number> }> {
  await sink.begin(ORDERS);
  const own = join(folder, "fan-out");
  const config = join(own, "pipeline.yaml");
  await mkdir(own, { recursive: true });
  const outputs = [...wanted.map((name) => OUTPUTS[name](sink)), ...others];
  await writeFile(config, filteredInto({ folder: own, corpus: corpus.path, sink }, outputs));
  const from = performance.now();
  const child = spawn(process.execPath, [launcher, "run", "--config", config], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const seconds = new Map<Destination, number>();
  try {
    while (seconds.size < wanted.length) {
      if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}`);
      await sleep(20);
      const tallies = await sink.tallies();
      for (const name of wanted) {
        if (seconds.has(name) || !same(expectedAt(name, corpus, true, ORDERS.by), tallies[name])) continue;
        seconds.set(name, (performance.now() - from) / 1000);
      }
    }
    return { usage: { wallSeconds: Math.max(...seconds.values()), ...fromProc(child.pid!)! }, seconds };
  } finally {
    child.kill("SIGKILL");
    await ended;
    await rm(own, { recursive: true, force: true });
  }
}

function describe({ alone, together, seconds }: FanOut, { entries }: Corpus): string {
  const million = entries / 1e6;
  const cpu = (usage: Usage) => (usage.cpuSeconds / million).toFixed(2);
  const rows = [...alone].map(
    ([name, usage]) =>
      `| ${name} | ${usage.wallSeconds.toFixed(1)} s | ${cpu(usage)} | ${seconds.get(name)!.toFixed(1)} s |`,
  );
  const sum = [...alone.values()].reduce((total, { wallSeconds }) => total + wallSeconds, 0);
  return `Into five at once, Splunk dead all the time and CloudWatch Logs answering after ${ORDERS.slowMs} ms, beside each of the healthy three alone:

| destination | alone: has everything after | CPU-seconds per million | in the fan-out: has everything after |
| --- | --: | --: | --: |
${rows.join("\n")}

One after the other they would take ${sum.toFixed(1)} s. Together: ${Math.round(entries / together.wallSeconds / 1000)} k entries/s into each of the three, ${cpu(together)} CPU-seconds per million, peak ${Math.round(together.peakBytes / 2 ** 20)} MiB.`;
}
