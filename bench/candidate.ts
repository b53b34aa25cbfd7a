/** Who does a job: this agent, in its variants, and each peer found on the machine. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Corpus } from "./corpus.ts";
import { expectedAt, type Job, type RunPlace, receivedAt, type Variant } from "./jobs.ts";
import { measure, type Usage } from "./measure.ts";
import { type Peer, runPeer } from "./peers.ts";
import { type Sink, same } from "./sink/client.ts";
import type { Orders } from "./sink/orders.ts";
import type { Expected, Tally } from "./tally.ts";

export interface Place {
  readonly folder: string;
  /** The published package's command. */
  readonly launcher: string;
  readonly corpus: Corpus;
  readonly sink: Sink;
}

export interface Candidate {
  readonly name: string;
  /** Runs to its end. Throws unless exactly what was to arrive has arrived. */
  run(place: Place, orders: Orders): Promise<Usage>;
  /** Whether what arrives can be told by its content: not of those who print entries anew in their own way. */
  readonly keepsContent: boolean;
}

export function agent(job: Job, variant: Variant): Candidate {
  return {
    name: variant.name,
    keepsContent: job.destinations.length > 0,
    run: (place, orders) =>
      inFolder(place, async (run) => {
        const config = join(run.folder, "pipeline.yaml");
        await writeFile(config, variant.config(run));
        await place.sink.begin(orders);
        const usage = await measure(process.execPath, [place.launcher, "run", "--once", "--config", config]);
        await compare(job, job.filtered, place.corpus, run, orders);
        await variant.check?.(run);
        return usage;
      }),
  };
}

export function peer(job: Job, known: Peer): Candidate {
  return {
    name: known.name,
    keepsContent: known.untouched,
    run: (place, orders) =>
      inFolder(place, async (run) => {
        const own: Orders = orders.by === "ids" ? { ...orders, by: "entries" } : orders;
        await place.sink.begin(own);
        const filtered = job.filtered && !known.untouched;
        const expected = filtered ? place.corpus.kept : place.corpus.all;
        const usage = await runPeer(known, job, run, expected.ids.entries);
        await compare(job, filtered, place.corpus, run, own);
        return usage;
      }),
  };
}

async function inFolder<T>({ folder, corpus, sink }: Place, run: (place: RunPlace) => Promise<T>): Promise<T> {
  const own = join(folder, "run");
  await mkdir(own, { recursive: true });
  try {
    return await run({ folder: own, corpus: corpus.path, sink });
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function compare(
  { destinations }: Job,
  filtered: boolean,
  corpus: Corpus,
  place: RunPlace,
  { by }: Orders,
): Promise<void> {
  const received = await receivedAt(destinations, place, by);
  for (const destination of destinations) {
    const expected = expectedAt(destination, corpus, filtered, by);
    const got = received[destination];
    if (same(expected, got)) continue;
    throw new Error(`${destination}: ${difference(expected, got)}`);
  }
}

function difference({ entries, checksum }: Expected, got: Tally = { entries: 0, checksum: 0 }): string {
  if (got.entries !== entries) return `${got.entries} entries arrived, ${entries} should have`;
  return `${entries} entries arrived, but not those that were written: their checksum is ${got.checksum} and not ${checksum}`;
}
