import type { RecordBatch } from "./batch.ts";
import type { ComponentState } from "./events.ts";

/** Where a chain does not hold. */
export interface ChainBreak {
  /** A kind of docs/decisions/0011, and what it means. */
  readonly kind: string;
  readonly words: string;
  readonly path: string | undefined;
  /** In bytes; 0 where an older version stored it. */
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface ChainGroup {
  readonly group: string;
  readonly scheme: string;
  /** broken: there was a break of late, as long as the filter is degraded by it. stopped: nothing more is read. quarantined: what comes is kept aside. */
  readonly state: "intact" | "broken" | "stopped" | "quarantined";
  /** Verified, as far back as the state goes. */
  readonly entries: number;
  readonly breaks: number;
  readonly tip: string;
  /** When an entry was verified last, milliseconds since the epoch. */
  readonly active: number;
  readonly last: ChainBreak | undefined;
}

/** The hash chains a filter follows. */
export interface ChainGroups {
  readonly count: number;
  readonly verified: number;
  readonly breaks: number;
  /** Those with breaks first, the latest first, then those that were active last; at most `limit`. */
  groups(limit: number): readonly ChainGroup[];
}

/** How a filter is, for health and metrics. */
export interface FilterStatus {
  readonly state: ComponentState;
  /** Milliseconds since the epoch; the start where it is not given. */
  readonly since?: number;
  readonly reason?: string;
  readonly chains?: ChainGroups;
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
