import type { RecordBatch } from "./batch.ts";
import type { ComponentState } from "./events.ts";

/** How a filter is, for health and metrics. */
export interface FilterStatus {
  readonly state: ComponentState;
  /** Milliseconds since the epoch; the start where it is not given. */
  readonly since?: number;
  readonly reason?: string;
  /** Hash chains it follows. */
  readonly chains?: number;
}

/**
 * Synchronous: a batch in, a batch out. Drops with `batch.select`, adds with `batch.with`; never changes a batch in place, and copies what
 * it wants to remember of one: the bytes are freed behind it.
 */
export interface Filter {
  /** `emit` takes batches of records the filter created (their `kind` set); they go the rest of the way by themselves. */
  process(batch: RecordBatch, emit: (created: RecordBatch) => void): RecordBatch;
  /**
   * Called about once a second, also while nothing flows. `now` is monotonic milliseconds, or Infinity where the inputs have ended and
   * nothing more will come. With what it emits the state of its group is stored, in one block: it is made exactly once.
   */
  tick?(now: number, emit: (created: RecordBatch) => void): void;
  /** The state of a group, if it changed since the last call. Stored in the same block as the batch; at most 64 KiB. */
  state?(group: string): Uint8Array | undefined;
  /** Hands back what `state` returned last, before the first batch. */
  restore?(group: string, state: Uint8Array): void;
  /** Why nothing more may be read from this input, as long as it answers so. */
  holds?(input: string): string | undefined;
  status?(): FilterStatus;
}
