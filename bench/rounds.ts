/** Runs a job's candidates in turns, so that a busy minute of the machine's meets all of them. */
import { agent, type Candidate, type Place, peer } from "./candidate.ts";
import type { Corpus } from "./corpus.ts";
import type { Job } from "./jobs.ts";
import type { Usage } from "./measure.ts";
import { peersFor, versionOf } from "./peers.ts";
import { oneRun } from "./report.ts";
import { startSink } from "./sink/client.ts";
import type { Orders } from "./sink/orders.ts";

export interface Result {
  readonly candidate: string;
  readonly runs: readonly Usage[];
  /** What went wrong: it is not run again then. */
  readonly error?: string;
}

export interface JobResult {
  readonly job: Job;
  readonly corpus: Corpus;
  /** Other agents that took part, with their versions. */
  readonly programs: readonly string[];
  readonly results: readonly Result[];
}

export interface Rounds {
  readonly folder: string;
  readonly launcher: string;
  readonly corpus: Corpus;
  readonly orders: Orders;
  readonly repeats: number;
  /** Whether each candidate has a first run, not timed, in which the content of what arrives is compared. */
  readonly verify: boolean;
  readonly peers: boolean;
}

export async function compete(job: Job, { orders, repeats, verify, peers, ...rest }: Rounds): Promise<JobResult> {
  const candidates = job.variants.map((variant) => agent(job, variant));
  const others = peers ? await peersFor(job, rest.corpus.kind) : [];
  candidates.push(...others.map((known) => peer(job, known)));
  const sink = await startSink();
  const place: Place = { ...rest, sink };
  const runs = new Map<Candidate, Usage[]>(candidates.map((candidate) => [candidate, []]));
  const errors = new Map<Candidate, string>();
  const attempt = async (candidate: Candidate, action: () => Promise<void>) => {
    if (errors.has(candidate)) return;
    try {
      await action();
    } catch (error) {
      errors.set(candidate, (error as Error).message);
      console.log(`  ${job.name}: ${candidate.name} failed: ${(error as Error).message}`);
    }
  };
  try {
    for (const candidate of candidates.filter(({ keepsContent }) => verify && keepsContent)) {
      await attempt(candidate, async () => {
        await candidate.run(place, { ...orders, by: "content" });
        console.log(`  ${job.name}: ${candidate.name}: what arrives has the content of what was written`);
      });
    }
    for (let round = 1; round <= repeats; round++) {
      for (const candidate of candidates) {
        await attempt(candidate, async () => {
          const usage = await candidate.run(place, orders);
          runs.get(candidate)!.push(usage);
          console.log(`  ${job.name}, round ${round}: ${candidate.name}: ${oneRun(usage, rest.corpus)}`);
        });
      }
    }
  } finally {
    sink.close();
  }
  const results = candidates.map((candidate) => {
    const error = errors.get(candidate);
    return { candidate: candidate.name, runs: runs.get(candidate)!, ...(error !== undefined && { error }) };
  });
  const programs = await Promise.all([...new Set(others.map(({ program }) => program))].map(versionOf));
  return { job, corpus: rest.corpus, programs, results };
}
