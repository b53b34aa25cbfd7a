/** What the guard makes of its measurements: pure, so that it can be tested without any. */
import { median } from "./document.ts";

/** The run of which nothing is but a start and one line: what the others cost on top of it is their own. */
export const START = "start";
/** How much more than the baseline is a regression: above what noise makes of a median, below what a user would forgive. */
export const LIMIT = 1.25;

/** By job: the agent's CPU time in parts of the reference's, a round each. */
export type Rounds = ReadonlyMap<string, readonly number[]>;
export type Ratios = Readonly<Record<string, number>>;

export interface Verdict {
  readonly job: string;
  readonly ratio: number;
  /** The present ratio in parts of the baseline's; undefined where the baseline has none. */
  readonly change: number | undefined;
  readonly slower: boolean;
}

/** Each job's median; but for the start itself, what it costs beyond a start. */
export function ratiosOf(rounds: Rounds): Ratios {
  const start = median(rounds.get(START)!);
  const beyond = (job: string, all: readonly number[]) => (job === START ? start : median(all) - start);
  return Object.fromEntries([...rounds].map(([job, all]) => [job, beyond(job, all)]));
}

export function judge(rounds: Rounds, baseline: Ratios): Verdict[] {
  return Object.entries(ratiosOf(rounds)).map(([job, ratio]) => {
    const before = baseline[job];
    const change = before === undefined ? undefined : ratio / before;
    return { job, ratio, change, slower: change === undefined || change > LIMIT };
  });
}
