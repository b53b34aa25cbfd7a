import type { RecordBatch } from "./batch.ts";

/** What a destination said of one record. */
export interface Failure {
  /**
   * retry: later, by itself. reject: never; the record's own fault, it becomes a dead letter.
   * block: the operator's to mend (a wrong token, a read-only index); the record waits and the lane says why.
   * later: not sent yet, as the output keeps a rate of its own; no attempt at the record, and no failure. Only beside records that are
   * settled, or with `pauseMs`.
   */
  readonly action: "retry" | "reject" | "block" | "later";
  /**
   * As a person would want to read it; never a secret, never the record's content beyond what the destination quoted, which only dead
   * letters keep (`discreet`).
   */
  readonly reason: string;
  /**
   * reject: the record itself rules it out (its size, its time), whatever anybody changes at the destination. So however many share the
   * reason, they become dead letters and the lane goes on.
   */
  readonly certain?: true;
}

/** Every record not named is stored. Indexes count through all batches of the write, from 0. */
export interface WriteResult {
  readonly failed?: ReadonlyMap<number, Failure>;
  /** The whole write was refused for what may be one record's fault, or as too large: the lane halves it and tries again. */
  readonly refused?: string;
  /** The whole write waits for the operator; nothing was stored. */
  readonly blocked?: string;
  /** The destination is asked to be left alone for so long: the whole lane pauses. */
  readonly pauseMs?: number;
  /** So many of the stored had been stored before. */
  readonly repeated?: number;
}

/** What the lane decided about a write before making it. */
export interface Plan {
  /** The same for the same records, also after a crash (object outputs: stored before the write). */
  readonly id: string;
  /** True where any of the records may have been sent before: a retry, or beyond the saved cursor at start. */
  readonly repeat: boolean;
}

/** Writes batches, many to a request. Holds no queue, no retry, no timers: the lane around it does. */
export interface Output {
  /**
   * Resolves once every record is stored at the destination or named as failed; a throw means retry for all, its message is the reason.
   * Obeys the signal promptly. May be called again before it resolves, up to `concurrency`.
   * A buffer it pooled goes back only when the transport is done with it, and it settles (also after an abort) only when it is done with
   * the records' own bytes: they are freed then.
   */
  write(batches: readonly RecordBatch[], plan: Plan, signal: AbortSignal): Promise<WriteResult>;
  /** Checks the destination as `write` would use it, without sending an event. Throws with a reason a person can act on. */
  probe(signal: AbortSignal): Promise<void>;
  /** Frees everything. May be called more than once. */
  close(): Promise<void>;
}

export interface ObjectPlan extends Plan {
  readonly partition: string;
  /** Ids of the first and last record, and their number. */
  readonly first: string;
  readonly last: string;
  readonly records: number;
  /** What `prepare` returned for this plan. */
  readonly note: string;
}

/** Writes whole objects (S3) or appends whole groups (file). The lane groups records by partition and stores the plan before the write. */
export interface ObjectOutput {
  /** The object a record belongs to; records of one partition stay in order. At most 512 bytes. */
  partition(batch: RecordBatch, index: number): string;
  /** What must be known again after a crash to repeat this very write (a file's length, say). At most 512 bytes. Called once per plan. */
  prepare?(plan: Omit<ObjectPlan, "note" | "repeat">): Promise<string>;
  /**
   * As `Output.write`, but an object is stored whole or not at all: one record named for a retry stands for all of them. `batches` can be
   * iterated again from the start; every iteration yields the same records.
   */
  writeObject(batches: AsyncIterable<RecordBatch>, plan: ObjectPlan, signal: AbortSignal): Promise<WriteResult>;
  probe(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** When an object is complete: at so many bytes of records, or so long after its first record. */
export interface Assemble {
  readonly bytes: number;
  readonly ageMs: number;
}
