import type { Position, RecordBatch } from "./batch.ts";

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
  /** Frees everything. May be called at any time, more than once. */
  close(): Promise<void>;
}
