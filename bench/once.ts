/** One run of the agent from a configuration to the end of its input, measured and checked. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agent } from "./candidate.ts";
import type { Corpus } from "./corpus.ts";
import type { Job } from "./jobs.ts";
import { measure, type Usage } from "./measure.ts";
import type { Sink } from "./sink/client.ts";
import { PLAIN } from "./sink/orders.ts";

export interface Place {
  readonly folder: string;
  /** The published package's command. */
  readonly launcher: string;
}

/** Throws unless exactly what was to be delivered has arrived. */
export function runJob(place: Place, job: Job, corpus: Corpus, sink: Sink): Promise<Usage> {
  return agent(job, job.variants[0]!).run({ ...place, corpus, sink }, PLAIN);
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
