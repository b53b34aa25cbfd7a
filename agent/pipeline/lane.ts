import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import type { OutputStatus } from "../api/status.ts";
import type { DeadLetter, DeadLetters } from "../queue/dead-letters.ts";
import type { Place, QueueReader } from "../queue/types.ts";
import { locate } from "./chunk.ts";
import type { LaneHealth } from "./lane-health.ts";
import type { LaneLedger } from "./lane-ledger.ts";
import { sentWith } from "./letters.ts";
import { within } from "./waiting.ts";

/** The chain around one output: cursor → batch → retry → time-out → write. */
export interface Lane {
  readonly alias: string;
  /** Whether the destination takes anything; where the lane is held and released. */
  readonly health: LaneHealth;
  /** Runs until the signal aborts. Never throws: what a destination does is state, not an exception. */
  run(): Promise<void>;
  /** Resolves when nothing is left to deliver, or nothing is to be expected for now (its destination is down), or the signal aborts. */
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
  /** For the status. */
  readonly match: readonly string[];
  readonly guarantee: string;
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
        sent: sentWith(batch, at),
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
 * cursor record makes a crash in between count them at the next start. `data` is what stands beside a cursor at that place.
 */
export async function skipTo(to: Place, data: (at: Place) => object, parts: LaneParts): Promise<void> {
  const { reader, ledger, emit, alias } = parts;
  const before = reader.backlog().bytes;
  let records = 0;
  try {
    const saved = reader.commit(to, { ...data(to), skipping: true });
    // The backlog usually lacks them at once; else when they are counted.
    records = ledger.absorb();
    await saved;
  } finally {
    records += ledger.absorb();
    const bytes = Math.max(0, before - reader.backlog().bytes);
    if (records > 0) emit({ is: "lost", where: "output", name: alias, records, bytes, reason: DROPPED });
  }
  await reader.commit(to, data(to));
}

export const DROPPED = "queue full, on_full: drop_oldest";

const CLOSE_MS = 5_000;

/** An output that does not close in time must not hold the process. */
export function closeOutput(output: { close(): Promise<void> }): Promise<void> {
  return within("closing the output", CLOSE_MS, () => output.close());
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
    paused: health.held,
    lastProgress: health.lastProgress,
    waitsMs: parts.waitsMs,
    match: parts.match,
    guarantee: parts.guarantee,
  };
}
