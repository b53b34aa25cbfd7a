/** One segment of the queue: its place in the log, its index while in use, and reading from it. */
import type { Emit } from "../api/events.ts";
import type { Disk, DiskFile } from "../state/disk.ts";
import { messageOf } from "../state/disk.ts";
import { type BatchMeta, type BlockHome, decodeMeta, decodePayload } from "./block.ts";
import { BlockIndex } from "./block-index.ts";
import type { SetAside } from "./damaged.ts";
import { type BlockHeader, BlockType, blockHeaderIntact, decodeBlockHeader, PAGE } from "./segment.ts";
import type { TotalsRow } from "./state.ts";
import { readBlock, walk } from "./walk.ts";

/** What all segments of a queue share. */
export interface Shared {
  readonly disk: Disk;
  readonly emit: Emit;
  readonly setAside: SetAside;
  /** Number of a tag in `BlockIndex.tags`. */
  tagId(tag: string): number;
}

export interface ReadBlock {
  readonly header: BlockHeader;
  readonly meta: BatchMeta;
  readonly payload: Buffer;
  /** The payload lies in memory that holds nothing else. */
  readonly own: boolean;
}

/** The block is not what was written. */
export class DamagedBlockError extends Error {}

export class Segment {
  readonly path: string;
  readonly home: BlockHome;
  readonly base: number;
  /** Totals of all tags before its first block; undefined where its snapshot was lost. */
  readonly totals: ReadonlyMap<string, TotalsRow> | undefined;
  /** When it was begun, milliseconds since the epoch. */
  readonly time: number;
  /** Bytes in use. */
  end: number;
  /** Base of the next segment; Infinity for the last. */
  limit = Number.POSITIVE_INFINITY;
  index: BlockIndex | undefined;
  /** Its file may hold something else by now. */
  freed = false;
  readonly #shared: Shared;
  #file: DiskFile | undefined;
  #opening: Promise<DiskFile> | undefined;
  #loading: Promise<BlockIndex> | undefined;
  readonly #bad = new Set<number>();
  /** Its damage has been told. */
  reported = false;

  constructor(
    shared: Shared,
    about: { path: string; home: BlockHome; base: number; totals: Segment["totals"]; time: number; end: number },
  ) {
    this.#shared = shared;
    this.path = about.path;
    this.home = about.home;
    this.base = about.base;
    this.totals = about.totals;
    this.time = about.time;
    this.end = about.end;
  }

  /** The index, read from the headers where it is not in memory. `following` are the totals at its end, where known. */
  load(following: () => ReadonlyMap<string, TotalsRow> | undefined): BlockIndex | Promise<BlockIndex> {
    if (this.index) return this.index;
    this.#loading ??= this.#scan(following()).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #scan(following: ReadonlyMap<string, TotalsRow> | undefined): Promise<BlockIndex> {
    const builder = new IndexBuilder(this.base, this.totals, this.#shared, this.#bad);
    const file = await this.#open();
    for await (const found of walk(file, this.home, { payloads: false, limit: this.limit })) {
      if (found.is === "gap") {
        if (!this.reported && (found.ours || builder.next < this.limit)) {
          await this.#shared.setAside(file, this.path, found.from, Math.min(found.to, this.end), found.reason);
        }
      } else if (found.header.type === BlockType.records) {
        builder.add(found.header, found.meta as BatchMeta, found.at, found.length);
      }
    }
    this.reported = true;
    this.index = builder.finish(this.limit, following);
    return this.index;
  }

  /** Block `i` of an index of this segment. Throws DamagedBlockError, or what the disk says. */
  async read(index: BlockIndex, i: number): Promise<ReadBlock> {
    const [seq, at, length] = [index.seqs[i]!, index.pages[i]! * PAGE, index.sizes[i]! * PAGE];
    const block = await readBlock(await this.#open(), at, length);
    try {
      const header = decodeBlockHeader(block);
      if (!header || header.seq !== seq || !blockHeaderIntact(block, header, this.home.seed)) {
        throw new Error("no valid header");
      }
      const meta = decodeMeta(block, header, this.home.key) as BatchMeta;
      const payload = await decodePayload(block, header, this.home.key);
      return { header, meta, payload, own: payload.buffer === block.buffer };
    } catch (error) {
      throw new DamagedBlockError(messageOf(error));
    }
  }

  /** Gives a block up: its numbers stay in the index, so that its loss can be counted by everyone who meets it. */
  async giveUp(index: BlockIndex, i: number, reason: string): Promise<void> {
    const seq = index.seqs[i]!;
    const from = index.pages[i]! * PAGE;
    const known = this.#bad.has(seq);
    this.#bad.add(seq);
    index.pages[i] = 0;
    // The index may have been read again meanwhile.
    if (this.index && this.index !== index) this.index.pages[this.index.find(seq)] = 0;
    if (known || from === 0) return;
    await this.#shared.setAside(await this.#open(), this.path, from, from + index.sizes[i]! * PAGE, reason);
  }

  /** The next segment begins at `base`: what this one has from there on does not count. */
  shrink(base: number): void {
    this.limit = base;
    const { index } = this;
    if (!index || index.find(base) === index.length) return;
    this.end = index.pages[index.find(base)]! * PAGE;
    index.cut(base);
  }

  #open(): Promise<DiskFile> | DiskFile {
    if (this.#file) return this.#file;
    this.#opening ??= this.#shared.disk
      .open(this.path, "read")
      .then((file) => {
        this.#file = file;
        return file;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  /** Gives memory and file handle back; they return when needed. */
  async unload(): Promise<void> {
    await this.#loading?.catch(() => undefined);
    await this.#opening?.catch(() => undefined);
    this.index = undefined;
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}

/** Makes an index of blocks in order, and of what is missing between them, by the totals they carry. */
export class IndexBuilder {
  readonly index = new BlockIndex();
  /** The sequence number expected next. */
  next: number;
  /** The last place where sequence numbers are missing: whatever is found to lack was there. */
  #gap: { at: number; seq: number } | undefined;
  readonly #known: Map<string, TotalsRow> | undefined;
  readonly #shared: Pick<Shared, "tagId">;
  readonly #bad: ReadonlySet<number>;

  constructor(
    base: number,
    totals: ReadonlyMap<string, TotalsRow> | undefined,
    shared: Pick<Shared, "tagId">,
    bad: ReadonlySet<number> = new Set(),
  ) {
    this.next = base;
    this.#known = totals && new Map(totals);
    this.#shared = shared;
    this.#bad = bad;
  }

  add(header: BlockHeader, meta: BatchMeta, at: number, length: number): void {
    const { seq, count } = header;
    // Also without a gap right here: one before may have held blocks of other tags than the block behind it.
    if (seq > this.next) this.#gap = { at: this.index.length, seq: this.next };
    for (const [tag, row] of meta.totals) {
      const [read, created, filtered, appended, bytes] = row;
      const own = tag === meta.tag;
      this.#missing(tag, own ? [read, created, filtered, appended - count, bytes - meta.bytes] : row, header.time);
      this.#known?.set(tag, row);
    }
    const page = this.#bad.has(seq) ? 0 : at / PAGE;
    this.index.push(seq, page, length / PAGE, count, meta.bytes, this.#shared.tagId(meta.tag), header.time);
    this.next = seq + 1;
  }

  /** The index, with what is missing at the end. */
  finish(limit: number, following: ReadonlyMap<string, TotalsRow> | undefined): BlockIndex {
    if (this.next < limit) this.#gap ??= { at: this.index.length, seq: this.next };
    if (this.#gap) for (const [tag, row] of following ?? []) this.#missing(tag, row, 0);
    return this.index;
  }

  #missing(tag: string, expected: TotalsRow, time: number): void {
    if (!this.#known) return;
    const known = this.#known.get(tag);
    const records = expected[3] - (known?.[3] ?? 0);
    if (records > 0) {
      const bytes = Math.max(0, expected[4] - (known?.[4] ?? 0));
      const { at, seq } = this.#gap ?? { at: this.index.length, seq: this.next };
      this.index.insert(at, seq, records, bytes, this.#shared.tagId(tag), time);
    }
    this.#known.set(tag, expected);
  }
}
