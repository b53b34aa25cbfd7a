/** The log as its readers see it: segments in order, fresh blocks in memory, who still needs what. */
import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import { errorCode } from "../state/disk.ts";
import { BatchMemory } from "./batch-memory.ts";
import type { BlockIndex } from "./block-index.ts";
import type { CursorFile } from "./cursor.ts";
import type { Recovered } from "./recovery.ts";
import { PAGE } from "./segment.ts";
import type { Segment, Shared } from "./segment-file.ts";
import type { QueueState, TotalsRow } from "./state.ts";
import type { Block, Place } from "./types.ts";

/** What the log must know of a reader. */
export interface LogReader {
  readonly cursor: Place;
  /** Sequence number it reads next. */
  readonly head: number;
  /** Whether it may still look at the memory of a block. */
  uses(seq: number): boolean;
  /** When it last went on, monotonic milliseconds. */
  readonly movedAt: number;
  readonly file: CursorFile;
  readonly dropsOldest: boolean;
  askToDrop(to: Place): void;
  wake(): void;
  close(): Promise<void>;
}

/** Index entries kept of segments that nobody reads right now, so that settled cursors do not make it read headers again. */
const MAX_IDLE_ENTRIES = 200_000;
const MAX_SPARES = 2;
/** A reader that went on so lately is at work. */
const MOVING_MS = 250;
/** A reader that is so many times the memory's blocks behind can catch up. */
const NEAR = 4;

export class Log {
  readonly shared: Shared;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly segments: Segment[];
  readonly state: QueueState;
  readonly readers = new Set<LogReader>();
  /** Cursors without an open reader. */
  readonly orphans = new Map<string, CursorFile>();
  readonly spares: string[];
  readonly tagNames: string[];
  next: number;
  nextNumber: number;
  /** Every block up to it is fsynced. */
  durable: number;
  /** Bytes of all segments. */
  bytes = 0;
  /** Called when segments were freed. */
  onSpace: () => void = () => undefined;
  /** Files beyond this size are not worth keeping for recycling. */
  readonly #spareBytes: number;
  readonly #memoryBytes: number;
  readonly memory = new BatchMemory();
  readonly #cache = new Map<number, Block>();
  #cached = 0;
  /** Out of the cache, and perhaps still needed: not durable yet, or being sent. */
  #retired: Block[] = [];
  #releasing: Promise<void> | undefined;
  #releaseAgain = false;

  constructor(
    shared: Shared,
    tagNames: string[],
    found: Recovered,
    clock: Clock,
    limits: { memoryBytes: number; spareBytes: number },
  ) {
    this.shared = shared;
    this.now = () => clock.monotonic();
    this.tagNames = tagNames;
    this.segments = found.segments;
    this.state = found.state;
    this.spares = found.spares;
    this.next = found.next;
    this.nextNumber = found.nextNumber;
    this.durable = found.next - 1;
    this.#memoryBytes = limits.memoryBytes;
    this.#spareBytes = limits.spareBytes;
    this.measure();
  }

  measure(): void {
    this.bytes = this.segments.reduce((sum, segment) => sum + segment.end, 0);
  }

  /** The segment a sequence number lies in: the last that begins at or before it, or the first of all. */
  segmentOf(seq: number): Segment | undefined {
    const { segments } = this;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (segments[middle]!.base <= seq) low = middle + 1;
      else high = middle;
    }
    return segments[Math.max(low - 1, 0)];
  }

  index(segment: Segment) {
    if (segment.index) return segment.index;
    this.#unloadIdle();
    return segment.load(() => this.segments[this.segments.indexOf(segment) + 1]?.totals);
  }

  #unloadIdle(): void {
    const last = this.segments.at(-1);
    const used = new Set<Segment | undefined>([last]);
    for (const reader of this.readers) used.add(this.segmentOf(reader.cursor.seq)).add(this.segmentOf(reader.head));
    let idle = 0;
    for (const segment of this.segments) {
      if (!segment.index || used.has(segment)) continue;
      idle += segment.index.length + 1000;
      if (idle > MAX_IDLE_ENTRIES) void segment.unload();
    }
  }

  /** Records and bytes of matching tags before a place, since the data directory was made. Bytes inside of a block are estimated. */
  countTo(place: Place, matches: (tag: number) => boolean): TotalsSum | Promise<TotalsSum> {
    const segment = this.segmentOf(place.seq);
    if (!segment || place.seq >= this.next) return this.countAll(matches);
    const index = this.index(segment);
    if (index instanceof Promise) return index.then((loaded) => this.#countIn(segment, loaded, place, matches));
    return this.#countIn(segment, index, place, matches);
  }

  #countIn(segment: Segment, index: BlockIndex, place: Place, matches: (tag: number) => boolean): TotalsSum {
    const sum = this.#sum(segment.totals, matches);
    for (let i = 0; i < index.length && index.seqs[i]! <= place.seq; i++) {
      if (!matches(index.tags[i]!)) continue;
      const count = index.counts[i]!;
      let part = 1;
      if (index.seqs[i] === place.seq) {
        part = index.pages[i] === 0 ? Math.min(place.index, 1) : Math.min(place.index / Math.max(count, 1), 1);
      }
      sum.records += Math.round(count * part);
      sum.bytes += Math.round(index.bytes[i]! * part);
    }
    return sum;
  }

  countAll(matches: (tag: number) => boolean): TotalsSum {
    const sum = { records: 0, bytes: 0 };
    for (const [tag, totals] of this.state.totals) {
      if (!matches(this.shared.tagId(tag))) continue;
      sum.records += totals.appended;
      sum.bytes += totals.bytes;
    }
    return sum;
  }

  #sum(totals: ReadonlyMap<string, TotalsRow> | undefined, matches: (tag: number) => boolean): TotalsSum {
    const sum = { records: 0, bytes: 0 };
    for (const [tag, row] of totals ?? []) {
      if (!matches(this.shared.tagId(tag))) continue;
      sum.records += row[3];
      sum.bytes += row[4];
    }
    return sum;
  }

  fresh(seq: number): Block | undefined {
    return this.#cache.get(seq);
  }

  /** A reader was given a block that it read from disk: its memory is free once the reader has done with it. */
  lend(block: Block): void {
    this.memory.add(block.batch);
    this.#retired.push(block);
  }

  keep(block: Block): void {
    if (this.readers.size === 0 || block.batch.count === 0) {
      this.#retired.push(block);
      return;
    }
    this.#cache.set(block.seq, block);
    this.#cached += weight(block.batch);
    this.trim();
  }

  /**
   * Whether the memory is half full of what readers have yet to read that go on from it, or are so little behind that they can be in it
   * again. One that lies farther back reads the disk in any case, and one that has not moved for long may be waiting for a dead server.
   */
  crowded(): boolean {
    if (this.#cached <= this.#memoryBytes / 2) return false;
    const oldest = this.#cache.keys().next().value! - NEAR * this.#cache.size;
    const now = this.now();
    for (const { head, movedAt } of this.readers) {
      if (head >= oldest && head < this.next && now - movedAt < MOVING_MS) return true;
    }
    return false;
  }

  /** Forgets blocks that every reader has had, and the oldest beyond the limit. Not-yet-durable ones are held by the writer anyway. */
  trim(): void {
    let lowest = Number.POSITIVE_INFINITY;
    for (const reader of this.readers) lowest = Math.min(lowest, reader.head);
    for (const block of this.#cache.values()) {
      if (block.seq >= lowest && this.#cached <= this.#memoryBytes) break;
      this.#cache.delete(block.seq);
      this.#cached -= weight(block.batch);
      this.#retired.push(block);
    }
  }

  /** Frees the memory of blocks that are on disk and that no reader is at work on; who has yet to read them reads the disk. */
  freeMemory(): void {
    this.trim();
    if (this.#retired.length === 0) return;
    this.#retired = this.#retired.filter(({ seq, batch }) => {
      if (seq > this.durable || this.#atWork(seq)) return true;
      this.memory.done(batch);
      return false;
    });
  }

  #atWork(seq: number): boolean {
    for (const reader of this.readers) if (reader.uses(seq)) return true;
    return false;
  }

  *cursors(): Generator<CursorFile> {
    for (const reader of this.readers) yield reader.file;
    yield* this.orphans.values();
  }

  /** The oldest place any cursor still needs; Infinity where there are none. */
  needed(): number {
    let seq = Number.POSITIVE_INFINITY;
    for (const reader of this.readers) seq = Math.min(seq, reader.cursor.seq);
    for (const orphan of this.orphans.values()) seq = Math.min(seq, orphan.place.seq);
    return seq;
  }

  /** Frees segments that every cursor has passed. */
  release(): Promise<void> {
    if (this.#releasing) {
      this.#releaseAgain = true;
      return this.#releasing;
    }
    if (!this.#releasable()) return Promise.resolve();
    this.#releasing = this.#free().finally(() => {
      this.#releasing = undefined;
    });
    return this.#releasing;
  }

  #releasable(): Segment | undefined {
    const first = this.segments[0];
    return first && this.segments.length > 1 && first.limit <= this.needed() ? first : undefined;
  }

  async #free(): Promise<void> {
    do {
      this.#releaseAgain = false;
      if (!this.#releasable()) continue;
      // A power cut must not take a cursor back behind what is gone.
      for (const cursor of this.cursors()) {
        if (!(await tryDisk(() => cursor.sync()))) return;
      }
      for (let segment = this.#releasable(); segment; segment = this.#releasable()) {
        this.segments.shift();
        segment.freed = true;
        this.measure();
        await this.#recycle(segment);
      }
      this.onSpace();
    } while (this.#releaseAgain);
  }

  async #recycle(segment: Segment): Promise<void> {
    const { disk } = this.shared;
    await segment.unload();
    const spare = `${segment.path}.spare`;
    if (this.spares.length < MAX_SPARES && segment.end > PAGE && segment.end <= this.#spareBytes) {
      if (await tryDisk(() => disk.rename(segment.path, spare))) {
        this.spares.push(spare);
        return;
      }
    }
    await tryDisk(() => disk.remove(segment.path));
  }

  /** Removes files kept for recycling; answers whether there were any. */
  async dropSpares(): Promise<boolean> {
    const had = this.spares.length > 0;
    for (const spare of this.spares.splice(0)) await tryDisk(() => this.shared.disk.remove(spare));
    return had;
  }

  wakeReaders(): void {
    for (const reader of this.readers) reader.wake();
    this.freeMemory();
  }
}

export interface TotalsSum {
  records: number;
  bytes: number;
}

/** Memory a batch holds on to: its whole buffer, however few of its records are left. */
export function weight(batch: RecordBatch): number {
  return batch.buffer.length + 16 * batch.count + 512;
}

/** False where the disk refused. */
export async function tryDisk(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return false;
  }
}
