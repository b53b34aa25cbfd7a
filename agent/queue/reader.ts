/** One output's way through the log, and its cursor. */
import type { Source } from "../api/batch.ts";
import { memoryPool } from "../api/memory-pool.ts";
import { errorCode, messageOf } from "../state/disk.ts";
import { decodeBatch, decodeSource } from "./block.ts";
import type { BlockIndex } from "./block-index.ts";
import type { CursorFile } from "./cursor.ts";
import type { Log, LogReader } from "./log.ts";
import type { Segment } from "./segment-file.ts";
import { DamagedBlockError } from "./segment-file.ts";
import type { Backlog, Block, Place, QueueReader, ReaderOptions } from "./types.ts";

/** A disk that fails so often in reading one block has lost it. */
const READ_ATTEMPTS = 3;
const MAX_SOURCES = 1000;

const giveBack = (memory: ArrayBuffer) => memoryPool.give(memory);

interface Ahead {
  readonly seq: number;
  readonly block: Promise<Block | undefined>;
}

/** Where a matching entry of the log is. */
interface Spot {
  readonly segment: Segment;
  readonly index: BlockIndex;
  readonly i: number;
  readonly seq: number;
}

export class Reader implements QueueReader, LogReader {
  readonly file: CursorFile;
  readonly replayedTo: number;
  readonly #log: Log;
  readonly #options: ReaderOptions;
  readonly #onClose: (reader: Reader) => void;
  #cursor: Place;
  #counted: Place;
  #data: unknown;
  #head: Place;
  /** Of all time, before the cursor. */
  #passed: { records: number; bytes: number };
  readonly #wanted: (boolean | undefined)[] = [];
  #sources = new Map<string, Source>();
  #ahead: Ahead | undefined;
  #wakers = new Set<() => void>();
  #askedToDrop = 0;
  /** Blocks that `next` gave and the cursor has not passed: they may still be looked at. */
  readonly #held = new Map<number, Block>();
  /** Blocks from memory that `range` gave, and to how many. */
  readonly #ranging = new Map<number, number>();
  #movedAt: number;
  #closed = false;

  constructor(
    log: Log,
    options: ReaderOptions,
    about: {
      file: CursorFile;
      cursor: Place;
      data: unknown;
      passed: { records: number; bytes: number };
      replayedTo: number;
    },
    onClose: (reader: Reader) => void,
  ) {
    this.#log = log;
    this.#movedAt = log.now();
    this.#options = options;
    this.#onClose = onClose;
    this.file = about.file;
    this.#cursor = about.cursor;
    this.#counted = about.cursor;
    this.#head = about.cursor;
    this.#data = about.data;
    this.#passed = about.passed;
    this.replayedTo = about.replayedTo;
  }

  get cursor(): Place {
    return this.#cursor;
  }
  get counted(): Place {
    return this.#counted;
  }
  get position(): Place {
    return this.#head;
  }
  get data(): unknown {
    return this.#data;
  }
  get head(): number {
    return this.#head.seq;
  }
  uses(seq: number): boolean {
    return this.#held.has(seq) || this.#ranging.has(seq);
  }
  get movedAt(): number {
    return this.#movedAt;
  }
  get dropsOldest(): boolean {
    return this.#options.onFull === "drop_oldest";
  }

  readonly #wants = (tag: number): boolean => {
    let wanted = this.#wanted[tag];
    if (wanted === undefined) {
      wanted = this.#options.match(this.#log.tagNames[tag]!);
      this.#wanted[tag] = wanted;
    }
    return wanted;
  };

  next(): Block | undefined | Promise<Block | undefined> {
    const found = this.#find(true);
    if (found instanceof Promise) return found.then(() => this.next());
    if (!found) return undefined;
    const fresh = this.#log.fresh(found.seq);
    if (fresh) {
      this.#held.set(fresh.seq, fresh);
      this.#pass(found.seq);
      return fresh;
    }
    return this.#fromDisk(found);
  }

  #pass(seq: number): void {
    this.#movedAt = this.#log.now();
    this.#head = { seq: seq + 1, index: 0 };
  }

  async #fromDisk(spot: Spot): Promise<Block | undefined> {
    const ahead = this.#ahead?.seq === spot.seq ? this.#ahead.block : undefined;
    this.#ahead = undefined;
    const before = this.#head;
    const block = await (ahead ?? this.#read(spot));
    // `seek` may have been called meanwhile: then this block is not what is wanted any more.
    if (this.#head !== before || this.#closed) return this.#closed ? undefined : this.next();
    if (!block) return this.next();
    this.#held.set(block.seq, block);
    this.#log.lend(block);
    this.#pass(block.seq);
    this.#readAhead();
    return block;
  }

  /** The next one from disk is read while this one is sent. */
  #readAhead(): void {
    const spot = this.#find(false);
    if (!spot || spot instanceof Promise || this.#log.fresh(spot.seq)) return;
    const block = this.#read(spot);
    // Its failure is met when it is asked for.
    block.catch(() => undefined);
    this.#ahead = { seq: spot.seq, block };
  }

  /**
   * The next durable matching block at or after the head; a promise where an index must be read first. With `move` the head goes along,
   * and what is found missing on the way is told.
   */
  #find(move: boolean): Spot | undefined | Promise<unknown> {
    const log = this.#log;
    let head = this.#head;
    for (;;) {
      if (this.#closed || head.seq > log.durable) return undefined;
      const segment = log.segmentOf(head.seq);
      if (!segment) return undefined;
      const index = log.index(segment);
      if (index instanceof Promise) return index;
      for (let i = index.find(head.seq); i < index.length; i++) {
        const seq = index.seqs[i]!;
        if (seq > log.durable) {
          // All before it were looked at: `wait` must wait for this one.
          if (move) this.#head = seq > head.seq ? { seq, index: 0 } : head;
          return undefined;
        }
        const inside = seq === head.seq && head.index > 0;
        if (index.pages[i] === 0) {
          if (move && !inside && this.#wants(index.tags[i]!)) this.#missing(index.counts[i]!, index.bytes[i]!, seq);
          continue;
        }
        const count = index.counts[i]!;
        if (count > 0 && this.#wants(index.tags[i]!) && !(inside && head.index >= count)) {
          if (move && !inside) this.#head = { seq, index: 0 };
          return { segment, index, i, seq };
        }
      }
      head = { seq: Math.min(segment.limit, log.durable + 1), index: 0 };
      if (move) this.#head = head;
    }
  }

  #missing(records: number, bytes: number, seq: number): void {
    const reason = "damaged in the queue";
    if (this.#options.onMissing) this.#options.onMissing({ records, bytes, seq, reason });
    else this.#log.shared.emit({ is: "lost", where: "queue", name: this.#options.alias, records, bytes, reason });
  }

  /** Undefined where the block is damaged (its index entry says so then) or gone with its segment. */
  async #read(spot: Spot): Promise<Block | undefined> {
    const { segment, index, i, seq } = spot;
    for (let attempt = 1; ; attempt++) {
      try {
        const { header, meta, payload, own } = await segment.read(index, i);
        const release = own ? giveBack : undefined;
        const batch = decodeBatch(header, meta, payload, this.#source(meta.source), release);
        return segment.freed ? undefined : { seq, batch, time: header.time };
      } catch (error) {
        if (segment.freed) return undefined;
        const damaged = error instanceof DamagedBlockError;
        if (!damaged && errorCode(error) === undefined) throw error;
        if (damaged || attempt >= READ_ATTEMPTS) {
          await segment.giveUp(index, i, messageOf(error));
          return undefined;
        }
      }
    }
  }

  /** One object per source, so that outputs can tell sources apart by identity. */
  #source(row: Parameters<typeof decodeSource>[0]): Source {
    const key = JSON.stringify(row);
    let source = this.#sources.get(key);
    if (!source) {
      if (this.#sources.size >= MAX_SOURCES) this.#sources = new Map();
      source = decodeSource(row);
      this.#sources.set(key, source);
    }
    return source;
  }

  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed || this.#head.seq <= this.#log.durable) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#wakers.delete(done);
        resolve();
      };
      signal.addEventListener("abort", done);
      this.#wakers.add(done);
    });
  }

  wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }

  holdAtMost(bytes: number): void {
    let more = -bytes;
    for (const { batch } of this.#held.values()) more += batch.buffer.length;
    for (const [seq, { batch }] of this.#held) {
      if (more <= 0) break;
      more -= batch.buffer.length;
      this.#held.delete(seq);
    }
    this.#log.freeMemory();
  }

  seek(place: Place): void {
    this.#head = isBefore(place, this.#cursor) ? this.#cursor : { ...place };
    this.#ahead = undefined;
  }

  async *range(from: Place, to: Place): AsyncIterable<Block> {
    let place = from;
    while (isBefore(place, to)) {
      const spot = await this.#spotAt(place, to);
      if (!spot) return;
      const known = this.#held.get(spot.seq) ?? this.#log.fresh(spot.seq);
      if (known) yield* this.#lent(known);
      else {
        const block = await this.#read(spot);
        if (block) yield block;
        // Who asks for the next one has done with this one; who does not ask may keep it.
        if (block) this.#log.memory.doneAlone(block.batch);
      }
      place = { seq: spot.seq + 1, index: 0 };
    }
  }

  *#lent(block: Block): Iterable<Block> {
    const { seq } = block;
    this.#ranging.set(seq, (this.#ranging.get(seq) ?? 0) + 1);
    try {
      yield block;
    } finally {
      // Who asks for no other one has this turn to look at it; and whoever began meanwhile as long as it takes.
      setImmediate(() => {
        const others = (this.#ranging.get(seq) ?? 1) - 1;
        if (others > 0) this.#ranging.set(seq, others);
        else this.#ranging.delete(seq);
      });
    }
  }

  async #spotAt(from: Place, to: Place): Promise<Spot | undefined> {
    let place = from;
    while (isBefore(place, to) && place.seq <= this.#log.durable) {
      const segment = this.#log.segmentOf(place.seq);
      if (!segment) return undefined;
      const index = await this.#log.index(segment);
      for (let i = index.find(place.seq); i < index.length; i++) {
        const seq = index.seqs[i]!;
        const first = seq === place.seq ? place.index : 0;
        if (!isBefore({ seq, index: first }, to)) return undefined;
        const count = index.counts[i]!;
        if (index.pages[i] !== 0 && first < count && this.#wants(index.tags[i]!)) return { segment, index, i, seq };
      }
      place = { seq: segment.limit, index: 0 };
    }
    return undefined;
  }

  async commit(cursor: Place, data: unknown, options: { sync?: boolean } = {}): Promise<void> {
    if (this.#closed) throw new Error(`the cursor of ${this.#options.alias} is closed`);
    const place = isBefore(cursor, this.#cursor) ? this.#cursor : { seq: cursor.seq, index: cursor.index };
    const counted = this.#log.countTo(place, this.#wants);
    const passed = counted instanceof Promise ? await counted : counted;
    // The backlog lacks it from now on, not only when it is written: what is settled is settled.
    if (passed.records >= this.#passed.records) {
      this.#passed = passed;
      this.#counted = place;
    }
    const record = {
      ...place,
      durable: this.#log.durable,
      passed: [passed.records, passed.bytes] as const,
      tags: this.#options.patterns ?? this.#log.tagNames.filter((_, tag) => this.#wants(tag)),
      data,
    };
    await this.file.write(record, options.sync ?? false);
    // A later commit may have been faster in the counting.
    if (isBefore(place, this.#cursor)) return;
    this.#cursor = place;
    this.#data = data;
    // Also those of a `range` that was left in its midst: nobody says that they are done with.
    for (const blocks of [this.#held, this.#ranging])
      for (const seq of blocks.keys()) if (seq < place.seq) blocks.delete(seq);
    if (isBefore(this.#head, place)) this.seek(place);
    this.#log.freeMemory();
    void this.#log.release();
  }

  holdWhile(work: Promise<unknown>): void {
    this.#log.memory.holdWhile(work);
  }

  backlog(): Backlog {
    const all = this.#log.countAll(this.#wants);
    const records = Math.max(0, all.records - this.#passed.records);
    const bytes = records === 0 ? 0 : Math.max(0, all.bytes - this.#passed.bytes);
    return { records, bytes, oldest: records === 0 ? undefined : this.#oldest() };
  }

  /** Exact where the index of the cursor's segment is in memory and holds it; else when that segment was begun. */
  #oldest(): number | undefined {
    let segment = this.#log.segmentOf(this.#cursor.seq);
    const seen = segment;
    while (segment) {
      const { index } = segment;
      if (!index) return segment.time;
      for (let i = index.find(this.#cursor.seq); i < index.length; i++) {
        if (index.counts[i]! > 0 && this.#wants(index.tags[i]!) && index.times[i]! > 0) return index.times[i];
      }
      segment = this.#log.segmentOf(segment.limit);
      if (segment === seen || segment?.limit === Number.POSITIVE_INFINITY) break;
    }
    return segment?.time;
  }

  askToDrop(to: Place): void {
    if (this.#askedToDrop >= to.seq) return;
    this.#askedToDrop = to.seq;
    this.#options.onDrop(to);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Nobody says when the last of what it gave is done with.
    if (this.#held.size > 0) this.holdWhile(new Promise(() => undefined));
    this.wake();
    this.#onClose(this);
  }
}

export function isBefore(a: Place, b: Place): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.index < b.index);
}
