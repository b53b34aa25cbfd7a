/** The disk queue: one log of blocks, many readers. The format is in `segment.ts`, the contract in `types.ts`. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import { routeMatcher } from "../api/route.ts";
import { type Disk, errorCode, messageOf, realDisk } from "../state/disk.ts";
import type { Reserve } from "../state/reserve.ts";
import { type CursorFile, type CursorRecord, createCursor, cursorPath, listCursors, openCursor } from "./cursor.ts";
import { damagedFolder } from "./damaged.ts";
import { Diskwait } from "./disk-wait.ts";
import { KeyRing } from "./keys.ts";
import { Log } from "./log.ts";
import { Reader } from "./reader.ts";
import { recover } from "./recovery.ts";
import { PAGE } from "./segment.ts";
import type { Shared } from "./segment-file.ts";
import { Space } from "./space.ts";
import type { AppendExtra, Orphan, Place, Queue, QueueReader, QueueStats, ReaderOptions, TagTotals } from "./types.ts";
import { Writer } from "./writer.ts";

export { QueueKeyError } from "./keys.ts";
export { NewerFormatError } from "./segment.ts";
export { QueueClosedError } from "./writer.ts";

export interface QueueOptions {
  /** The queue's own directory; segments lie in it, cursors in `cursors`, damaged parts in `damaged`. */
  readonly dir: string;
  /** The most the segments may take, in bytes. */
  readonly maxBytes: number;
  readonly segmentBytes: number;
  /** Room beyond `maxBytes` for urgent appends. */
  readonly reserveBytes: number;
  readonly compression: "none" | "zstd";
  /** 32 bytes each. */
  readonly key?: Buffer | undefined;
  readonly previousKeys?: readonly Buffer[] | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Fresh blocks kept for readers, and the most that may wait for an fsync; 16 MiB unless told. */
  readonly memoryBytes?: number;
  /** See `Writer`; 0 unless told, which `bench/queue.ts` shows to be right: what it saves in CPU, latency pays for. */
  readonly syncEveryMs?: number;
  /** Given up first when the disk is full. */
  readonly reserve?: Pick<Reserve, "release" | "restore"> | undefined;
  readonly disk?: Disk;
  /** How long to wait after the disk refused, 500 unless told. */
  readonly retryMs?: number;
}

/**
 * What is read for so many bytes waits at most so many turns of the event loop, of a millisecond at least, for readers that are about to
 * fall behind: what they take from memory needs no reading, no checking and no scanning again. Longer would make a slow one everybody's
 * pace.
 */
const PACED_BYTES = 1024 * 1024;
const MOST_TURNS = 12;

const ALIAS = /^[\w.-]{1,128}$/;

/** Opens or makes it. Whatever the damage, it opens; it throws QueueKeyError, NewerFormatError, or what the disk says. */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const disk = options.disk ?? realDisk;
  const cursors = join(options.dir, "cursors");
  await disk.mkdir(options.dir);
  await disk.mkdir(cursors);
  const tagNames: string[] = [];
  const tagIds = new Map<string, number>();
  const shared: Shared = {
    disk,
    emit: options.emit,
    setAside: damagedFolder(disk, join(options.dir, "damaged"), options.emit),
    tagId(tag) {
      let id = tagIds.get(tag);
      if (id === undefined) {
        id = tagNames.push(tag) - 1;
        tagIds.set(tag, id);
      }
      return id;
    },
  };
  const files = new Map<string, CursorFile>();
  try {
    for (const alias of await listCursors(disk, cursors)) {
      const file = await openCursor(disk, cursors, alias);
      if (file) files.set(alias, file);
    }
    const settled = Math.max(0, ...[...files.values()].map(settledBy));
    const found = await recover(shared, options.dir, new KeyRing(options.key, options.previousKeys), settled);
    return new DiskQueue(options, shared, tagNames, found, files);
  } catch (error) {
    for (const file of files.values()) await file.close().catch(() => undefined);
    throw error;
  }
}

function settledBy({ record }: CursorFile): number {
  if (!record) return 0;
  return Math.max(record.durable, record.index > 0 ? record.seq : record.seq - 1);
}

class DiskQueue implements Queue {
  readonly #options: QueueOptions;
  readonly #disk: Disk;
  readonly #cursors: string;
  readonly #log: Log;
  readonly #writer: Writer;
  readonly #space: Space;
  readonly #diskWait: Diskwait;
  /** Blocks up to it were there at start. */
  readonly #replayedTo: number;
  #closing: Promise<void> | undefined;

  constructor(
    options: QueueOptions,
    shared: Shared,
    tagNames: string[],
    found: Awaited<ReturnType<typeof recover>>,
    files: ReadonlyMap<string, CursorFile>,
  ) {
    this.#options = options;
    this.#disk = shared.disk;
    this.#cursors = join(options.dir, "cursors");
    const { clock, emit, maxBytes, reserveBytes, reserve, retryMs } = options;
    const memoryBytes = options.memoryBytes ?? 16 * 1024 * 1024;
    // Room is won by whole segments: a queue of one or two could never be freed while it is written.
    const segmentBytes = Math.max(4 * PAGE, Math.min(options.segmentBytes, Math.floor(maxBytes / 4)));
    this.#log = new Log(shared, tagNames, found, clock, { memoryBytes, spareBytes: 2 * segmentBytes });
    for (const [alias, file] of files) this.#log.orphans.set(alias, file);
    this.#replayedTo = found.next - 1;
    this.#space = new Space(this.#log, { maxBytes, reserveBytes }, clock, emit);
    this.#diskWait = new Diskwait({ reserve, retryMs, clock, emit });
    this.#writer = new Writer(this.#log, this.#space, this.#diskWait, {
      directory: options.dir,
      segmentBytes,
      pendingBytes: memoryBytes,
      syncEveryMs: options.syncEveryMs ?? 0,
      zstd: options.compression === "zstd",
      keys: new KeyRing(options.key, options.previousKeys),
      clock,
    });
  }

  get positions(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#log.state.positions;
  }
  get states(): ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> {
    return this.#log.state.states;
  }
  totals(): ReadonlyMap<string, TagTotals> {
    return this.#log.state.totals;
  }
  append(batch: RecordBatch, extra: AppendExtra): Promise<void> {
    return this.#writer.append(batch, extra);
  }
  async pace(bytes: number): Promise<void> {
    const turns = Math.ceil((bytes / PACED_BYTES) * MOST_TURNS);
    for (let i = 0; i < turns && this.#log.crowded(); i++) await delay(1);
  }
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  async openReader(options: ReaderOptions): Promise<QueueReader> {
    const { alias } = options;
    if (!ALIAS.test(alias)) throw new Error(`"${alias}" cannot name a cursor`);
    if ([...this.#log.readers].some((reader) => reader.file.alias === alias)) {
      throw new Error(`the cursor of ${alias} is in use`);
    }
    const wants = (tag: number) => options.match(this.#log.tagNames[tag]!);
    const file = this.#log.orphans.get(alias) ?? (await this.#newCursor(options, wants));
    const cursor = this.#clamp(file, options);
    const passed = await this.#log.countTo(cursor, wants);
    const { record } = file;
    const gone = record && record.seq < cursor.seq ? passed.records - record.passed[0] : 0;
    if (gone > 0) {
      const bytes = Math.max(0, passed.bytes - (record?.passed[1] ?? 0));
      const reason = "the part of the queue that held them is gone";
      if (options.onMissing) options.onMissing({ records: gone, bytes, seq: record!.seq, reason });
      else this.#options.emit({ is: "lost", where: "queue", name: alias, records: gone, bytes, reason });
    }
    // What was there when its last reader closed, in this run or before it, may have been sent.
    const replayedTo = this.#log.orphans.has(alias) ? this.#log.next - 1 : this.#replayedTo;
    this.#log.orphans.delete(alias);
    const about = { file, cursor, data: record?.data, passed, replayedTo };
    const reader = new Reader(this.#log, options, about, (closed) => this.#readerClosed(closed));
    this.#log.readers.add(reader);
    return reader;
  }

  #readerClosed(reader: Reader): void {
    this.#log.readers.delete(reader);
    this.#log.orphans.set(reader.file.alias, reader.file);
    this.#log.trim();
  }

  /** Never before the oldest block there is; a damaged cursor means everything again. */
  #clamp(file: CursorFile, options: ReaderOptions): Place {
    if (!file.record) {
      const reason = `both slots of the cursor of ${options.alias} are damaged: everything the queue has is sent again`;
      this.#options.emit({ is: "notice", level: "error", component: "queue", message: reason });
    }
    const oldest = this.#oldest();
    return file.place.seq < oldest ? { seq: oldest, index: 0 } : file.place;
  }

  #oldest(): number {
    return this.#log.segments[0]?.base ?? this.#log.next;
  }

  async #newCursor(options: ReaderOptions, wants: (tag: number) => boolean): Promise<CursorFile> {
    // What is not durable yet must not lie before a cursor that is.
    await this.#writer.flush();
    const place = { seq: options.start === "end" ? this.#log.next : this.#oldest(), index: 0 };
    const passed = await this.#log.countTo(place, wants);
    const record: CursorRecord = {
      ...place,
      durable: this.#log.durable,
      passed: [passed.records, passed.bytes],
      tags: options.patterns ?? this.#log.tagNames.filter((_, tag) => wants(tag)),
      data: undefined,
    };
    for (;;) {
      try {
        const file = await createCursor(this.#disk, this.#cursors, options.alias, record);
        this.#diskWait.recovered();
        return file;
      } catch (error) {
        if (this.#closing) throw error;
        await this.#diskWait.failed(error, cursorPath(this.#cursors, options.alias));
      }
    }
  }

  async orphans(): Promise<Orphan[]> {
    const found: Orphan[] = [];
    for (const [alias, file] of this.#log.orphans) {
      const tags = file.record?.tags;
      const matches = tags ? routeMatcher(tags, alias) : () => true;
      const wants = (tag: number) => matches(this.#log.tagNames[tag]!);
      const passed = await this.#log.countTo(file.place, wants);
      const all = this.#log.countAll(wants);
      const records = all.records - passed.records;
      found.push({ alias, records, bytes: records === 0 ? 0 : all.bytes - passed.bytes });
    }
    return found;
  }

  async dropOrphan(alias: string): Promise<void> {
    const file = this.#log.orphans.get(alias);
    if (!file) throw new Error(`${alias} is no orphan`);
    await this.#disk.remove(cursorPath(this.#cursors, alias));
    await this.#disk.syncDirectory(this.#cursors).catch((error: unknown) => {
      if (errorCode(error) === undefined) throw error;
      this.#options.emit({ is: "disk_error", path: this.#cursors, code: errorCode(error)!, reason: messageOf(error) });
    });
    this.#log.orphans.delete(alias);
    await file.close();
    await this.#log.release();
  }

  stats(): QueueStats {
    const { segments, bytes } = this.#log;
    const needed = this.#log.needed();
    const oldest = needed < this.#log.next ? this.#log.segmentOf(needed)?.time : undefined;
    const blocked = this.#diskWait.blocked ?? this.#space.blocked;
    return { bytes, maxBytes: this.#options.maxBytes, segments: segments.length, oldest, blocked };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    for (const reader of [...this.#log.readers]) await reader.close();
    await this.#log.release();
    for (const file of this.#log.orphans.values()) await file.close().catch(() => undefined);
    for (const segment of this.#log.segments) await segment.unload();
  }
}
