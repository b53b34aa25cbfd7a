/** Rates from the counters of successive views. */
import type { PipelineView } from "../../agent/api/operate.ts";

export interface Rates {
  /** Per second, by the counter's name (`keyOf`). What is not known yet is not in it. */
  readonly perSecond: ReadonlyMap<string, number>;
}

export type Counter =
  | "read"
  | "read_bytes"
  | "delivered"
  | "delivered_bytes"
  | "rejected"
  | "lost"
  | "filtered"
  | "backlog"
  | "verified";

export const keyOf = (part: string, counter: Counter): string => `${counter} ${part}`;

interface Sample {
  readonly seconds: number;
  readonly counters: ReadonlyMap<string, number>;
}

/** One view each second jumps with every batch; over five seconds a rate is calm and still prompt. */
const WINDOW_SECONDS = 5;

export class RateMeter {
  #samples: Sample[] = [];
  #startedAt = "";

  add(view: PipelineView): Rates {
    // Counters count from the agent's start.
    if (view.started_at !== this.#startedAt) this.#samples = [];
    this.#startedAt = view.started_at;
    const sample = { seconds: Date.parse(view.time) / 1000, counters: countersOf(view) };
    const newest = this.#samples.at(-1);
    // The agent's clock was set back, or the view was sent twice.
    if (newest && sample.seconds <= newest.seconds) this.#samples = [];
    this.#samples.push(sample);
    while (this.#samples.length > 2 && sample.seconds - this.#samples[1]!.seconds >= WINDOW_SECONDS) {
      this.#samples.shift();
    }
    return { perSecond: between(this.#samples[0]!, sample) };
  }
}

function between(from: Sample, to: Sample): Map<string, number> {
  const rates = new Map<string, number>();
  const seconds = to.seconds - from.seconds;
  if (seconds <= 0) return rates;
  for (const [key, value] of to.counters) {
    const before = from.counters.get(key);
    if (before === undefined) continue;
    const change = value - before;
    // Only a backlog may shrink; a counter that does was begun anew.
    if (change >= 0 || key.startsWith("backlog ")) rates.set(key, change / seconds);
  }
  return rates;
}

function countersOf(view: PipelineView): Map<string, number> {
  const counters = new Map<string, number>();
  for (const { alias, read } of view.inputs) {
    counters.set(keyOf(alias, "read"), read.records);
    counters.set(keyOf(alias, "read_bytes"), read.bytes);
  }
  for (const { alias, filtered, chains } of view.filters) {
    counters.set(keyOf(alias, "filtered"), filtered);
    if (chains) counters.set(keyOf(alias, "verified"), chains.verified);
  }
  for (const { alias, ledger, delivered_bytes, backlog } of view.outputs) {
    counters.set(keyOf(alias, "delivered"), ledger.delivered);
    counters.set(keyOf(alias, "delivered_bytes"), delivered_bytes);
    counters.set(keyOf(alias, "rejected"), ledger.rejected);
    counters.set(keyOf(alias, "lost"), ledger.lost);
    counters.set(keyOf(alias, "backlog"), backlog.records);
  }
  return counters;
}

export function rateOf(rates: Rates, part: string, counter: Counter): number | undefined {
  return rates.perSecond.get(keyOf(part, counter));
}

/** Of all of them together; unknown while none is known. */
export function total(
  rates: Rates,
  parts: readonly { readonly alias: string }[],
  counter: Counter,
): number | undefined {
  let sum: number | undefined;
  for (const { alias } of parts) {
    const rate = rateOf(rates, alias, counter);
    if (rate !== undefined) sum = (sum ?? 0) + rate;
  }
  return sum;
}
