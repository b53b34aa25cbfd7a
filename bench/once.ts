/** One run of the agent from a configuration to the end of its input, measured and checked. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Corpus } from "./corpus.ts";
import { type Sink, same } from "./destination.ts";
import { expectedAt, type Job } from "./jobs.ts";
import { measure, type Usage } from "./measure.ts";

export interface Place {
  readonly folder: string;
  /** The published package's command. */
  readonly launcher: string;
}

/** Throws unless exactly what was to be delivered has arrived. */
export async function runJob(place: Place, job: Job, corpus: Corpus, sink: Sink): Promise<Usage> {
  const data = join(place.folder, `data-${job.name}`);
  const usage = await runConfig(place, data, job.config({ data, corpus: corpus.path, sink }));
  await compare(job, corpus, sink);
  return usage;
}

/** `run --once`; the data directory is emptied afterwards. */
export async function runConfig({ folder, launcher }: Place, data: string, config: string): Promise<Usage> {
  const file = join(folder, "pipeline.yaml");
  await writeFile(file, config);
  try {
    return await measure(process.execPath, [launcher, "run", "--once", "--config", file]);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

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
