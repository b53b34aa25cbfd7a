import type { RecordBatch } from "./batch.ts";

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
  /** Frees everything. May be called at any time, more than once. */
  close(): Promise<void>;
}
