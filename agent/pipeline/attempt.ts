import type { RecordBatch } from "../api/batch.ts";
import type { Failure, Output, Plan, WriteResult } from "../api/output.ts";
import { pick } from "./chunk.ts";
import { messageOf } from "./lane.ts";
import { limited, orAbort } from "./waiting.ts";

/** What one attempt at some records came to. Indexes are those of the records given. */
export interface Outcome {
  /** Records to write again. */
  readonly again: number[];
  readonly rejected: ReadonlyMap<number, string>;
  /** How many are stored now, and of those how many had been before. */
  readonly stored: number;
  readonly repeated: number;
  /** Why there is something to write again; undefined where there is nothing, or nothing but what was not sent yet. */
  readonly trouble: { readonly state: "degraded" | "blocked"; readonly reason: string } | undefined;
  readonly pauseMs: number;
  /** Somebody else's abort ended it, not the destination. */
  readonly aborted: boolean;
}

export interface AttemptOptions {
  readonly output: Output;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The destination has taken other records since these were first refused: so a refusal of a single one is that record's fault. */
  readonly othersAccepted: () => boolean;
  /** Told of a write that was given up and may still be reading the records. */
  readonly abandoned: (write: Promise<unknown>) => void;
}

/**
 * Below so many records, all of them being rejected for one reason can be chance; from there on it is the destination's set-up
 * (a changed mapping, a wrong index), which an operator mends: the lane waits instead of burying everything.
 */
export const SAME_REASON_RECORDS = 100;

/** Writes the records once; halves them where the destination refuses the whole for what may be one record's fault. */
export async function attempt(batches: readonly RecordBatch[], plan: Plan, options: AttemptOptions): Promise<Outcome> {
  let total = 0;
  for (const batch of batches) total += batch.count;
  const result = await writeOnce(batches, plan, options);
  if ("thrown" in result) return everything(total, "degraded", result.thrown, 0, result.aborted);
  const pauseMs = result.pauseMs ?? 0;
  if (result.blocked !== undefined) return everything(total, "blocked", result.blocked, pauseMs);
  if (result.refused !== undefined) return bisect(batches, total, plan, options, result.refused, pauseMs);
  return judge(total, result);
}

async function writeOnce(
  batches: readonly RecordBatch[],
  plan: Plan,
  options: AttemptOptions,
): Promise<WriteResult | { thrown: string; aborted: boolean }> {
  const limit = limited(options.signal, options.timeoutMs);
  try {
    return await orAbort(options.output.write(batches, plan, limit.signal), limit.signal, options.abandoned);
  } catch (error) {
    const timedOut = limit.timedOut();
    const reason = timedOut ? `no answer within ${options.timeoutMs} ms` : messageOf(error);
    return { thrown: reason, aborted: limit.signal.aborted && !timedOut };
  } finally {
    limit.end();
  }
}

function everything(
  total: number,
  state: "degraded" | "blocked",
  reason: string,
  pauseMs: number,
  aborted = false,
): Outcome {
  const again = Array.from({ length: total }, (_, index) => index);
  return { again, rejected: new Map(), stored: 0, repeated: 0, trouble: { state, reason }, pauseMs, aborted };
}

/** Sorts the per-record answers. */
function judge(total: number, result: WriteResult): Outcome {
  const again: number[] = [];
  const rejected = new Map<number, string>();
  let certain = 0;
  let trouble: Outcome["trouble"];
  let later: string | undefined;
  for (const [index, failure] of result.failed ?? new Map<number, Failure>()) {
    // An answer about what was not asked is a bug of the output; it must not unbalance the count.
    if (!Number.isInteger(index) || index < 0 || index >= total) continue;
    if (failure.action === "reject") {
      rejected.set(index, failure.reason);
      if (failure.certain) certain++;
    } else {
      again.push(index);
      if (failure.action === "later") later = failure.reason;
      else if (trouble?.state !== "blocked") {
        trouble = { state: failure.action === "block" ? "blocked" : "degraded", reason: failure.reason };
      }
    }
  }
  const pauseMs = result.pauseMs ?? 0;
  if (rejected.size === total && certain < total && total >= SAME_REASON_RECORDS) {
    const reasons = new Set([...rejected.values()].map(kindOf));
    if (reasons.size === 1) {
      const reason = `all ${total} records refused: ${rejected.values().next().value}`;
      return everything(total, "blocked", reason, pauseMs);
    }
  }
  // Nothing done and no pause: an output that would be asked for ever, at once.
  if (later !== undefined && again.length === total && pauseMs <= 0) trouble ??= { state: "degraded", reason: later };
  again.sort((a, b) => a - b);
  const stored = total - again.length - rejected.size;
  return { again, rejected, stored, repeated: result.repeated ?? 0, trouble, pauseMs, aborted: false };
}

/** Reasons quote ids, positions and values; what is left tells whether two are the same. */
function kindOf(reason: string): string {
  return reason.replace(/'[^']*'|"[^"]*"|\[[^\]]*\]|\d+/g, "");
}

/**
 * Halves until the guilty stand alone. A record refused alone is guilty only where the destination takes others: if everything is
 * refused, that is the operator's fault, not the records', and they wait.
 */
async function bisect(
  batches: readonly RecordBatch[],
  total: number,
  plan: Plan,
  options: AttemptOptions,
  reason: string,
  pauseMs: number,
): Promise<Outcome> {
  if (total <= 1) {
    if (total === 1 && options.othersAccepted()) {
      return {
        again: [],
        rejected: new Map([[0, reason]]),
        stored: 0,
        repeated: 0,
        trouble: undefined,
        pauseMs,
        aborted: false,
      };
    }
    return everything(total, "blocked", reason, pauseMs);
  }
  const half = Math.floor(total / 2);
  const again: number[] = [];
  const rejected = new Map<number, string>();
  let stored = 0;
  let repeated = 0;
  let pause = pauseMs;
  let trouble: Outcome["trouble"];
  let aborted = false;
  const othersAccepted = () => stored > 0 || options.othersAccepted();
  const run = async (indexes: readonly number[]): Promise<Half> => {
    const part = await attempt(
      pick(batches, Uint32Array.from(indexes)),
      { ...plan, id: `${plan.id}.${indexes[0]}` },
      { ...options, othersAccepted },
    );
    stored += part.stored;
    repeated += part.repeated;
    pause = Math.max(pause, part.pauseMs);
    for (const [index, why] of part.rejected) rejected.set(indexes[index]!, why);
    return { part, again: part.again.map((index) => indexes[index]!) };
  };
  let first = await run(range(0, half));
  // An outage in the first half says nothing of the second: leave it for the retry.
  const halted = first.part.trouble?.state === "degraded";
  const second = halted ? undefined : await run(range(half, total));
  // The first half's refusals may have been judged before anything was accepted; with the second accepted they are judged again.
  const acceptedSince = first.part.stored === 0 && (second?.part.stored ?? 0) > 0;
  if (first.part.trouble?.state === "blocked" && acceptedSince) first = await run(first.again);
  for (const side of [first, second]) {
    if (side === undefined) continue;
    again.push(...side.again);
    aborted ||= side.part.aborted;
    if (side.part.trouble !== undefined && trouble?.state !== "blocked") trouble = side.part.trouble;
  }
  if (second === undefined) again.push(...range(half, total));
  return { again, rejected, stored, repeated, trouble, pauseMs: pause, aborted };
}

interface Half {
  readonly part: Outcome;
  /** Indexes in the whole. */
  readonly again: readonly number[];
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
