import type { Position, RecordBatch } from "./batch.ts";

/** How far the reading of a file is behind its writer. */
export interface FileLag {
  readonly path: string;
  /** Bytes it has; of a compressed file what was decompressed so far, and the rest as it is on disk. */
  readonly size: number;
  /** Bytes that have a place in the queue. */
  readonly offset: number;
  /** Bytes that have none yet; 0 where there is only the beginning of an entry that its writer did not finish. */
  readonly bytes: number;
  /** For how long the oldest of them are known to be there, milliseconds. */
  readonly ms: number;
  /** No name leads to it any more. */
  readonly deleted: boolean;
}

/** The same of all files of an input. */
export interface InputLag {
  /** How many files it follows. */
  readonly followed: number;
  readonly bytes: number;
  /** The longest of any file. */
  readonly ms: number;
  /** Those furthest behind first, then those read last. */
  readonly files: readonly FileLag[];
}

/**
 * Reads a source. Pulled: the next batch is asked for only when the last has a place in the queue.
 * A batch carries the positions from which to go on after it; the queue stores both in one block, so they cannot disagree.
 */
export interface Input {
  /**
   * Batches of one file (or connection) each, in the order of their group. Ends when there is nothing more to come
   * (end of stdin, `once`, after `stop`). Called once. Throws only for what no retry can mend.
   */
  read(): AsyncIterable<RecordBatch>;
  /** SIGTERM: one last sweep of the sources to their present ends, then `read` ends. Never waits for new data. */
  stop(): void;
  /**
   * True while unread bytes exist only because this process holds a deleted file open. The queue, when full, then takes batches
   * into its reserve; the input yields those files first.
   */
  vanishing?(): boolean;
  /**
   * Positions that changed while the last batch waits for its place in a full queue, at most `limit`: of what that batch does not move,
   * and of what it does move as before it. The queue stores them at once, in its reserve, or a source first met now and gone before there
   * is room would leave no trace. They count as stored.
   */
  meanwhile?(limit: number): readonly Position[];
  /** Bytes that vanished before they could be read, as far as the positions remember, so across restarts. */
  lostBytes?(): number;
  /** How far it is behind, with at most `limit` files. Asked about once a second, however many files there are. */
  lag?(limit: number): InputLag;
  /** What it should read and cannot, in words; `since` in milliseconds since the epoch. */
  trouble?(): { readonly since: number; readonly reason: string } | undefined;
  /** Frees everything. May be called at any time, more than once. */
  close(): Promise<void>;
}
