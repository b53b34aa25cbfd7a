/** The queue as the pipeline sees it. `queue.ts` implements it. */
import type { Position, RecordBatch } from "../api/batch.ts";

/** A place between records: all records of blocks before `seq`, and the first `index` of block `seq`, lie before it. */
export interface Place {
  readonly seq: number;
  readonly index: number;
}

export interface Block {
  /** 1, 2, 3, … without gaps, over the life of the data directory. */
  readonly seq: number;
  readonly batch: RecordBatch;
  /** When it was written, milliseconds since the epoch. */
  readonly time: number;
}

/** Running totals of a tag since the data directory was made: `read + created = filtered + queued`. */
export interface TagTotals {
  readonly read: number;
  readonly created: number;
  readonly filtered: number;
  /** Records put into the queue. */
  readonly appended: number;
}

/** What goes into a block beside the batch itself (whose `positions` go in too). */
export interface AppendExtra {
  /** Records of this batch that the input read, and that filters dropped: `read - filtered` (or `created`) are in the batch. */
  readonly read: number;
  readonly created: number;
  readonly filtered: number;
  /** Filter state that changed: by filter alias, of the batch's group. */
  readonly states: readonly { readonly filter: string; readonly group: string; readonly state: Uint8Array }[];
  /** While it answers true, a full queue takes the block into `reserve_bytes`. */
  readonly urgent?: () => boolean;
  /** Positions to be stored in the reserve while the block itself waits: see `Input`. */
  readonly meanwhile?: (limit: number) => readonly Position[];
}

export interface ReaderOptions {
  /** Cursor name: the output's alias. */
  readonly alias: string;
  readonly match: (tag: string) => boolean;
  /** `match` as patterns of tags, kept with the cursor: without them an orphan's backlog has only the tags its reader met. */
  readonly patterns?: readonly string[];
  /** Where a reader without a cursor starts. */
  readonly start: "end" | "oldest";
  readonly onFull: "block" | "drop_oldest";
  /**
   * Called when the queue is full and this reader, being `drop_oldest`, is among those that hold the oldest segment: it must move its
   * cursor to `to` or beyond (counting what it skips as lost) with `commit`, soon.
   */
  readonly onDrop: (to: Place) => void;
  /**
   * Told from within `next` (or `openReader`), in order: matching records the log no longer has because it was damaged, at `seq`. They
   * leave the backlog when a commit passes `seq`. Without it the queue emits `lost` itself.
   */
  readonly onMissing?: (missing: Missing) => void;
}

export interface Missing {
  readonly seq: number;
  readonly records: number;
  readonly bytes: number;
  readonly reason: string;
}

export interface Backlog {
  readonly records: number;
  readonly bytes: number;
  /** Write time of the oldest matching block not yet passed; undefined without a backlog. */
  readonly oldest: number | undefined;
}

/** One reader per output: reads durable blocks in order, and owns the output's cursor. */
export interface QueueReader {
  /** Everything before it is settled; saved by `commit`. */
  readonly cursor: Place;
  /** The place `backlog` counts from: the cursor, or where a commit that has begun puts it. */
  readonly counted: Place;
  /** Where `next` goes on: everything before it was returned, or does not match. */
  readonly position: Place;
  /** What the lane stored beside the cursor (JSON, at most about 3.5 KiB); undefined for a new cursor. */
  readonly data: unknown;
  /** Blocks with a seq up to this one were in the queue at start: they may have been sent before. */
  readonly replayedTo: number;
  /**
   * The next matching block with records, from memory where it still is, else from disk; undefined where none is durable yet.
   * A promise only where the disk must be read.
   */
  next(): Block | undefined | Promise<Block | undefined>;
  /** Resolves when `next` may have something (or at once), or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** Of what `next` gave only the last so many bytes are looked at any more, though the cursor is not there yet. `range` reads the rest again. */
  holdAtMost(bytes: number): void;
  /** Makes `next` go on from a place not before the cursor. */
  seek(place: Place): void;
  /**
   * Reads blocks again, `from` to `to` (exclusive by index within `to.seq`): every matching block with at least one record in range. A
   * block's memory is used for others once the next is asked for, or a turn after none is.
   */
  range(from: Place, to: Place): AsyncIterable<Block>;
  /** Saves cursor and data in one record. Resolves when it survives a kill; with `sync` also a power cut. */
  commit(cursor: Place, data: unknown, options?: { sync?: boolean }): Promise<void>;
  /**
   * What blocks hold may be freed once the cursor has passed them. Until `work` settles nothing is: for a write that was given up and may
   * still be reading.
   */
  holdWhile(work: Promise<unknown>): void;
  /** Matching records after the cursor, exactly. */
  backlog(): Backlog;
  close(): Promise<void>;
}

export interface QueueStats {
  readonly bytes: number;
  readonly maxBytes: number;
  readonly segments: number;
  /** Write time of the oldest block some cursor still needs. */
  readonly oldest: number | undefined;
  /** Since when appends wait, and why; undefined while they do not. Monotonic milliseconds. */
  readonly blocked: { readonly since: number; readonly why: string } | undefined;
}

export interface Orphan {
  readonly alias: string;
  readonly records: number;
  readonly bytes: number;
}

export interface Queue {
  /** By input alias, by key. */
  readonly positions: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** By filter alias, by group. */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  /**
   * Resolves when the block is written (durable after the next group fsync, which the queue does by itself). Waits while the queue is
   * full or the disk is. A batch without records still writes its positions, states and counts.
   */
  append(batch: RecordBatch, extra: AppendExtra): Promise<void>;
  /** To be awaited after so many bytes were appended, before more is read: a moment at most for readers that would fall behind. */
  pace(bytes: number): Promise<void>;
  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void>;
  totals(): ReadonlyMap<string, TagTotals>;
  openReader(options: ReaderOptions): Promise<QueueReader>;
  /** Cursors that no open reader owns, with their backlog. Ask after all readers are open. */
  orphans(): Promise<Orphan[]>;
  /** Removes an orphan's cursor; its backlog is lost (the caller says so). */
  dropOrphan(alias: string): Promise<void>;
  stats(): QueueStats;
  close(): Promise<void>;
}
