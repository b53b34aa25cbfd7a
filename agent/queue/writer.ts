import { setTimeout as sleep } from "node:timers/promises";
import { RecordBatch } from "../api/batch.ts";
import { errorCode, messageOf } from "../state/disk.ts";
import { encodeBlock, encodeMeta, encodePayload, Scratch } from "./block.ts";
import type { Diskwait } from "./disk-wait.ts";
import { type Log, tryDisk, weight } from "./log.ts";
import { type Active, beginSegment, endSegment, type MakeOptions } from "./make-segment.ts";
import { Mutex } from "./mutex.ts";
import { BlockType, PAGE } from "./segment.ts";
import type { Space } from "./space.ts";
import { type Delta, deltaOf, type QueueState, type TotalsRows } from "./state.ts";
import type { AppendExtra } from "./types.ts";

export interface WriterOptions extends MakeOptions {
  readonly segmentBytes: number;
  /** The most that may wait for an fsync, in bytes of memory. */
  readonly pendingBytes: number;
  /** The least from the beginning of one group fsync to that of the next; the next also waits for the end of the last. */
  readonly syncEveryMs: number;
}

/** Written, not yet fsynced: kept so that it can be written again elsewhere. */
interface Pending {
  readonly seq: number;
  readonly time: number;
  readonly batch: RecordBatch;
  readonly delta: Delta;
  readonly rows: TotalsRows;
}

/** Of positions stored at once while an append waits. */
const MOST_POSITIONS = 64;
const POSITIONS_BYTES = 8 * PAGE;
const NOTHING_READ: AppendExtra = { read: 0, created: 0, filtered: 0, states: [] };

export class QueueClosedError extends Error {
  constructor() {
    super("the queue is closed");
    this.name = "QueueClosedError";
  }
}

export class Writer {
  readonly #log: Log;
  readonly #options: WriterOptions;
  readonly #space: Space;
  readonly #diskWait: Diskwait;
  readonly #mutex = new Mutex();
  readonly #scratch = new Scratch();
  /** The state without what is pending. */
  #durableState: QueueState;
  #active: Active | undefined;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #syncing: Promise<void> | undefined;
  #syncBegan = Number.NEGATIVE_INFINITY;
  /** An fsync failed: nothing more goes into the active segment, and what is pending goes elsewhere. */
  #suspect: Error | undefined;
  #closed = false;
  /** The append of each input that others of the same input wait for. */
  readonly #last = new Map<string, Promise<void>>();
  #waiters: { seq: number; resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(log: Log, space: Space, diskWait: Diskwait, options: WriterOptions) {
    this.#log = log;
    this.#space = space;
    this.#diskWait = diskWait;
    this.#options = options;
    this.#durableState = log.state.clone();
  }

  /** Blocks of one input go in in the order of the calls, whoever waits; inputs may overtake each other. */
  append(batch: RecordBatch, extra: AppendExtra): Promise<void> {
    this.#log.memory.add(batch);
    const { input } = batch.source;
    const before = this.#last.get(input);
    const appended = before ? before.then(() => this.#append(batch, extra)) : this.#append(batch, extra);
    const settled = appended.catch(() => undefined);
    this.#last.set(input, settled);
    void settled.then(() => {
      if (this.#last.get(input) === settled) this.#last.delete(input);
    });
    return appended;
  }

  async #append(batch: RecordBatch, extra: AppendExtra): Promise<void> {
    const delta = deltaOf(batch, extra);
    const need = delta.bytes + 17 * batch.count + 2 * PAGE;
    await this.#mutex.lock();
    try {
      while (!this.#closed && !this.#space.fits(need, extra.urgent)) {
        await this.#meanwhile(batch, extra);
        await this.#mutex.without(() => this.#space.wait());
      }
      this.#space.entered();
      await this.#enter(batch, delta, need);
    } finally {
      this.#mutex.unlock();
    }
  }

  /** Under the mutex: what is learned while a batch waits is stored before it, in the reserve. */
  async #meanwhile({ tag, source: { input } }: RecordBatch, { meanwhile }: AppendExtra): Promise<void> {
    if (!meanwhile || !this.#space.fitsPositions(POSITIONS_BYTES)) return;
    const positions = meanwhile(MOST_POSITIONS);
    if (positions.length === 0) return;
    const batch = RecordBatch.ofPositions(positions, { tag, input, readTime: this.#options.clock.now() });
    await this.#enter(batch, deltaOf(batch, NOTHING_READ), POSITIONS_BYTES);
  }

  /** Under the mutex, however long the disk refuses. */
  async #enter(batch: RecordBatch, delta: Delta, need: number): Promise<void> {
    for (;;) {
      if (this.#closed) throw new QueueClosedError();
      try {
        await this.#put(batch, delta, need);
        this.#diskWait.recovered();
        return;
      } catch (error) {
        await this.#refused(error);
      }
    }
  }

  async #refused(error: unknown): Promise<void> {
    const code = errorCode(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      if (await this.#log.dropSpares()) return;
    } else if (code !== undefined && code !== "EROFS" && this.#active && error instanceof Error) {
      // A file that fails in writing cannot be trusted with what it took before either.
      this.#suspect = error;
    }
    await this.#diskWait.failed(error, this.#options.directory);
  }

  async #put(batch: RecordBatch, delta: Delta, need: number): Promise<void> {
    const log = this.#log;
    if (this.#pendingBytes > this.#options.pendingBytes) await this.#sync();
    let active = this.#active;
    if (!active || this.#suspect || this.#isFull(active, need)) active = await this.#turnOver();
    const entry: Pending = {
      seq: log.next,
      time: this.#options.clock.now(),
      batch,
      delta,
      rows: log.state.after(delta),
    };
    await this.#write(active, entry);
    log.next = entry.seq + 1;
    log.state.apply(delta, entry.rows);
    this.#pending.push(entry);
    this.#pendingBytes += weight(batch);
    log.keep({ seq: entry.seq, batch, time: entry.time });
    this.#startSync();
  }

  /** Blocks take at least as much as the snapshot before them: with 100,000 files' positions each block would begin a segment of its own. */
  #isFull({ segment, index, begun }: Active, need: number): boolean {
    return index.length > 0 && segment.end + need > Math.max(this.#options.segmentBytes, 2 * begun);
  }

  /** Puts the entry behind the active segment's last block. When it fails nothing has changed but bytes beyond the end. */
  async #write(active: Active, entry: Pending): Promise<void> {
    const { segment, file, index } = active;
    const { batch, delta, rows } = entry;
    const block = await encodeBlock(
      segment.home,
      {
        type: BlockType.records,
        seq: entry.seq,
        time: entry.time,
        durable: this.#log.durable,
        counter: active.counter++,
        page: segment.end / PAGE,
        meta: encodeMeta(batch, delta, rows),
        payload: encodePayload(batch, this.#scratch),
      },
      this.#options.zstd,
    );
    await file.writev(block.parts, segment.end);
    const tag = this.#log.shared.tagId(delta.tag);
    index.push(entry.seq, segment.end / PAGE, block.length / PAGE, delta.records, delta.bytes, tag, entry.time);
    segment.end += block.length;
    this.#log.bytes += block.length;
  }

  #startSync(): void {
    if (this.#syncing || this.#suspect || this.#pending.length === 0) return;
    this.#syncing = this.#syncOnce().finally(() => {
      this.#syncing = undefined;
      if (this.#suspect) void this.#rescue();
      else this.#startSync();
    });
  }

  async #syncOnce(): Promise<void> {
    const { clock, syncEveryMs } = this.#options;
    const early = this.#syncBegan + syncEveryMs - clock.monotonic();
    if (early > 0) await sleep(early);
    this.#syncBegan = clock.monotonic();
    const upTo = this.#log.next - 1;
    const slow = this.#diskWait.watch("an fsync", this.#options.directory);
    try {
      await this.#active!.file.datasync();
    } catch (error) {
      this.#suspect = error instanceof Error ? error : new Error(messageOf(error));
      return;
    } finally {
      slow.end();
    }
    this.#advance(upTo);
  }

  #advance(upTo: number): void {
    let count = 0;
    for (const entry of this.#pending) {
      if (entry.seq > upTo) break;
      this.#durableState.apply(entry.delta, entry.rows);
      this.#pendingBytes -= weight(entry.batch);
      count++;
    }
    this.#pending.splice(0, count);
    this.#log.durable = upTo;
    this.#log.wakeReaders();
    const done = this.#waiters.filter(({ seq }) => seq <= upTo);
    this.#waiters = this.#waiters.filter(({ seq }) => seq > upTo);
    for (const waiter of done) waiter.resolve();
  }

  /** Under the mutex: everything written is durable, or the active segment is suspect. */
  async #sync(): Promise<void> {
    while (this.#pending.length > 0 && !this.#suspect) {
      this.#startSync();
      await this.#syncing;
    }
  }

  /** After a failed fsync, when no append comes by to do it. */
  async #rescue(): Promise<void> {
    await this.#mutex.lock();
    try {
      while (this.#suspect && !this.#closed) {
        try {
          await this.#turnOver();
          this.#diskWait.recovered();
        } catch (error) {
          await this.#refused(error);
        }
      }
    } finally {
      this.#mutex.unlock();
    }
  }

  /** Under the mutex: begins the next segment, with what is pending in it if the last one cannot be trusted. */
  async #turnOver(): Promise<Active> {
    await this.#sync();
    if (this.#suspect) await this.#diskWait.failed(this.#suspect, this.#options.directory, { wait: false });
    const log = this.#log;
    const base = log.durable + 1;
    const fresh = await beginSegment(log, this.#options, base, this.#durableState);
    try {
      for (const entry of this.#pending) await this.#write(fresh, entry);
      if (this.#pending.length > 0) await fresh.file.datasync();
    } catch (error) {
      await fresh.file.close().catch(() => undefined);
      await tryDisk(() => log.shared.disk.remove(fresh.segment.path));
      log.measure();
      throw error;
    }
    await this.#replace(fresh, base);
    this.#suspect = undefined;
    this.#advance(log.next - 1);
    void this.#diskWait.restoreReserve();
    await log.release();
    return fresh;
  }

  async #replace(fresh: Active, base: number): Promise<void> {
    const log = this.#log;
    const last = log.segments.at(-1);
    last?.shrink(base);
    await this.#active?.file.close().catch(() => undefined);
    log.segments.push(fresh.segment);
    fresh.segment.index = fresh.index;
    this.#active = fresh;
    log.measure();
  }

  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void> {
    const seq = this.#log.next - 1;
    if (seq <= this.#log.durable) return Promise.resolve();
    if (this.#closed) return Promise.reject(new QueueClosedError());
    this.#startSync();
    return new Promise((resolve, reject) => this.#waiters.push({ seq, resolve, reject }));
  }

  /** Waiting appends are turned away; what is written is made durable if the disk lets it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#space.close();
    this.#diskWait.close();
    await this.#mutex.lock();
    try {
      await this.#sync();
      const active = this.#active;
      if (active && !this.#suspect)
        await tryDisk(() => endSegment(this.#log, this.#options, active, this.#durableState));
      await active?.file.close().catch(() => undefined);
      this.#active = undefined;
      for (const waiter of this.#waiters.splice(0)) waiter.reject(new QueueClosedError());
    } finally {
      this.#mutex.unlock();
    }
  }
}
