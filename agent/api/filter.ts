import type { RecordBatch } from "./batch.ts";

/**
 * Synchronous: a batch in, a batch out. Drops with `batch.select`, adds with `batch.with`; never changes a batch in place, and copies what
 * it wants to remember of one: the bytes are freed behind it.
 */
export interface Filter {
  /** `emit` takes batches of records the filter created (their `kind` set); they go the rest of the way by themselves. */
  process(batch: RecordBatch, emit: (created: RecordBatch) => void): RecordBatch;
  /** Called about once a second, also while nothing flows. `now` is monotonic milliseconds. */
  tick?(now: number, emit: (created: RecordBatch) => void): void;
  /** The state of a group, if it changed since the last call. Stored in the same block as the batch; at most 64 KiB. */
  state?(group: string): Uint8Array | undefined;
  /** Hands back what `state` returned last, before the first batch. */
  restore?(group: string, state: Uint8Array): void;
}
