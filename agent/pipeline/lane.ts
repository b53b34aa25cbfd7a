import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import type { OutputStatus } from "../api/status.ts";
import type { DeadLetter, DeadLetters } from "../queue/dead-letters.ts";
import type { Place, QueueReader } from "../queue/types.ts";
import { locate } from "./chunk.ts";
import type { LaneHealth } from "./lane-health.ts";
import type { LaneLedger, StoredLedger } from "./lane-ledger.ts";

/** The chain around one output: cursor → batch → retry → time-out → write. */
export interface Lane {
  readonly alias: string;
  /** Runs until the signal aborts. Never throws: what a destination does is state, not an exception. */
  run(): Promise<void>;
  /** Resolves when nothing is left to deliver, or the lane gave up for now (its destination is down), or the signal aborts. */
  drained(signal: AbortSignal): Promise<void>;
  /** Resolves when every record up to now is settled, however long that takes. */
  settled(signal: AbortSignal): Promise<void>;
  /** Ends the lane: aborts what is under way, saves the cursor, closes the output. */
  close(): Promise<void>;
  /** The queue is full and asks for room up to `to`. */
  drop(to: Place): void;
  status(): OutputStatus;
}

/** What both kinds of lane share. */
export interface LaneParts {
  readonly alias: string;
  readonly plugin: string;
  readonly reader: QueueReader;
  readonly deadLetters: DeadLetters;
  readonly health: LaneHealth;
  readonly ledger: LaneLedger;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly timeoutMs: number;
  readonly maxAgeMs: number | undefined;
  /** How long records may wait by design: linger, or the age of an object. */
  readonly waitsMs: number;
}

/** Writes refused records away, fsynced; only then may the cursor pass them. Throws where the disk refuses: they are retried. */
export async function bury(
  parts: LaneParts,
  batches: readonly RecordBatch[],
  reasons: ReadonlyMap<number, string>,
  attempts: number,
): Promise<void> {
  if (reasons.size === 0) return;
  const letters: DeadLetter[] = [];
  const time = parts.clock.now();
  locate(
    batches,
    [...reasons.keys()].sort((a, b) => a - b),
    (batch, at, index) => {
      letters.push({
        time,
        output: parts.alias,
        reason: reasons.get(index)!,
        attempts,
        id: batch.id(at),
        tag: batch.tag,
        path: batch.source.path,
        offset: batch.offsets[at]!,
        original: batch.bytes(at),
      });
    },
  );
  await parts.deadLetters.append(letters);
  const counts = new Map<string, number>();
  for (const reason of reasons.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  for (const [reason, records] of counts) parts.emit({ is: "rejected", output: parts.alias, records, reason });
}

/**
 * Moves the cursor over records that are given up, and counts them as lost. How many they are is known only afterwards: `skipping` in the
 * cursor record makes a crash in between count them at the next start.
 */
export async function skipTo<D extends { ledger: StoredLedger }>(
  to: Place,
  data: D,
  alias: string,
  reader: QueueReader,
  ledger: LaneLedger,
  emit: Emit,
): Promise<void> {
  const { bytes } = reader.backlog();
  ledger.passTo(to.seq);
  await reader.commit(to, { ...data, ledger: ledger.stored(), skipping: true });
  const records = ledger.absorb();
  const reason = "queue full, on_full: drop_oldest";
  emit({ is: "lost", where: "output", name: alias, records, bytes: bytes - reader.backlog().bytes, reason });
  await reader.commit(to, { ...data, ledger: ledger.stored() });
}

/** A signal that aborts with any of the given ones or after the time-out; `end` frees the timer. */
export function limited(
  signals: readonly AbortSignal[],
  timeoutMs: number,
): { signal: AbortSignal; timedOut: () => boolean; end: () => void } {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort(new Error(`no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const stop = () => controller.abort(new Error("stopped"));
  for (const signal of signals) {
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  }
  return {
    signal: controller.signal,
    timedOut: () => late,
    end: () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", stop);
    },
  };
}

/** `promise`, or a rejection once the signal aborts: an output that ignores its signal must not hold the lane. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return error.message !== "" ? error.message : (code ?? error.name);
}

export function statusOf(parts: LaneParts, inFlight: number): OutputStatus {
  const { health } = parts;
  const ledger = parts.ledger.now();
  const backlog = parts.reader.backlog();
  return {
    alias: parts.alias,
    plugin: parts.plugin,
    state: health.state,
    since: health.since,
    reason: health.reason,
    ledger,
    backlog: { ...backlog, records: ledger.queued },
    inFlight,
    lastProgress: health.lastProgress,
    waitsMs: parts.waitsMs,
  };
}
