/**
 * An output's cursor: one small record, overwritten in place, so that a full disk cannot stop it.
 *
 * The file has two slots of 4 KiB, each
 *      0  4  "CRSR"
 *      4  4  u32 CRC-32 of bytes 8..20 and of the JSON
 *      8  8  f64 number of the write
 *     16  4  u32 length of the JSON
 *     20     JSON, see `CursorRecord`
 * The valid slot with the higher number counts. The slot known to be durable is never the one that is overwritten, so even a power cut
 * in the middle of a write leaves a cursor; unsynced writes go over and over into the other slot.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Disk, type DiskFile, errorCode, writeSmall } from "../state/disk.ts";
import type { Place } from "./types.ts";

const SLOT = 4096;
const HEAD = 20;
const MAGIC = 0x52535243;
const SUFFIX = ".cursor";
/** The most the lane's data may take, as JSON in bytes; the rest of the slot is the queue's. */
export const MAX_CURSOR_DATA = 3584;
/** Tags are kept for orphans; where they would take more bytes, all tags are meant. */
const MAX_TAGS = 200;

export interface CursorRecord {
  readonly seq: number;
  readonly index: number;
  /** Every block up to this one was durable when the cursor was written. */
  readonly durable: number;
  /** Matching records, and their bytes, of all time up to the cursor: tells what was lost if the log behind it is gone. */
  readonly passed: readonly [records: number, bytes: number];
  /** Tags the output wants, as patterns, or as far as known; null: any. */
  readonly tags: readonly string[] | null;
  readonly data: unknown;
}

export class CursorDataError extends Error {}

export interface CursorFile {
  readonly alias: string;
  readonly place: Place;
  /** Undefined where both slots are damaged. */
  readonly record: CursorRecord | undefined;
  write(record: CursorRecord, sync: boolean): Promise<void>;
  /** Makes the last write durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const cursorPath = (directory: string, alias: string) => join(directory, alias + SUFFIX);

/** Aliases that have a cursor. */
export async function listCursors(disk: Disk, directory: string): Promise<string[]> {
  return (await disk.list(directory))
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length));
}

function encodeSlot(number: number, record: CursorRecord): Buffer {
  const data = JSON.stringify(record.data ?? null);
  if (Buffer.byteLength(data) > MAX_CURSOR_DATA) {
    throw new CursorDataError(`${Buffer.byteLength(data)} bytes of cursor data, the most is ${MAX_CURSOR_DATA}`);
  }
  const tags = record.tags && JSON.stringify(record.tags).length <= MAX_TAGS ? record.tags : null;
  const json = Buffer.from(JSON.stringify({ ...record, tags, data: undefined }).replace(/}$/, `,"data":${data}}`));
  const slot = Buffer.alloc(SLOT);
  slot.writeUInt32LE(MAGIC, 0);
  slot.writeDoubleLE(number, 8);
  slot.writeUInt32LE(json.length, 16);
  json.copy(slot, HEAD);
  slot.writeUInt32LE(slotCrc(slot, json.length), 4);
  return slot;
}

const slotCrc = (slot: Buffer, length: number) => crc32(slot.subarray(8, HEAD + length));

function decodeSlot(slot: Buffer): { number: number; record: CursorRecord } | undefined {
  if (slot.length < SLOT || slot.readUInt32LE(0) !== MAGIC) return undefined;
  const length = slot.readUInt32LE(16);
  if (length > SLOT - HEAD || slot.readUInt32LE(4) !== slotCrc(slot, length)) return undefined;
  const record = JSON.parse(slot.subarray(HEAD, HEAD + length).toString()) as CursorRecord;
  return { number: slot.readDoubleLE(8), record: { ...record, data: record.data ?? undefined } };
}

/** Makes the file, durable, with `record` in it. */
export async function createCursor(
  disk: Disk,
  directory: string,
  alias: string,
  record: CursorRecord,
): Promise<CursorFile> {
  await writeSmall(disk, cursorPath(directory, alias), Buffer.concat([encodeSlot(1, record), Buffer.alloc(SLOT)]));
  const cursor = await openCursor(disk, directory, alias);
  if (!cursor) throw new Error(`cursor of ${alias} vanished`);
  return cursor;
}

/** Undefined where the alias has none. `read` is enough for one that is only looked at, also where nothing may be written. */
export async function openCursor(
  disk: Disk,
  directory: string,
  alias: string,
  mode: "write" | "read" = "write",
): Promise<CursorFile | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(cursorPath(directory, alias), mode);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const both = Buffer.alloc(2 * SLOT);
    await file.read(both, both.length, 0);
    // What was read may still be on its way to the disk.
    await file.datasync().catch(() => undefined);
    return new Cursor(alias, file, decodeSlot(both.subarray(0, SLOT)), decodeSlot(both.subarray(SLOT)));
  } catch (error) {
    await file.close();
    throw error;
  }
}

class Cursor implements CursorFile {
  readonly alias: string;
  record: CursorRecord | undefined;
  readonly #file: DiskFile;
  #number: number;
  /** Slot with the newest durable record. */
  #durableSlot: 0 | 1;
  #dirty = false;
  #last: Promise<void> = Promise.resolve();

  constructor(alias: string, file: DiskFile, a: ReturnType<typeof decodeSlot>, b: ReturnType<typeof decodeSlot>) {
    this.alias = alias;
    this.#file = file;
    this.#durableSlot = (b?.number ?? -1) > (a?.number ?? -1) ? 1 : 0;
    const newest = this.#durableSlot === 1 ? b : a;
    this.record = newest?.record;
    this.#number = newest?.number ?? 0;
  }

  get place(): Place {
    return { seq: this.record?.seq ?? 0, index: this.record?.index ?? 0 };
  }

  write(record: CursorRecord, sync: boolean): Promise<void> {
    const slot = encodeSlot(this.#number + 1, record);
    this.#number++;
    return this.#next(async () => {
      await this.#file.writev([slot], this.#durableSlot === 0 ? SLOT : 0);
      this.record = record;
      this.#dirty = true;
      if (sync) await this.#sync();
    });
  }

  sync(): Promise<void> {
    return this.#next(() => this.#sync());
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return;
    await this.#file.datasync();
    this.#durableSlot = this.#durableSlot === 0 ? 1 : 0;
    this.#dirty = false;
  }

  #next(action: () => Promise<void>): Promise<void> {
    const next = this.#last.then(action);
    this.#last = next.catch(() => undefined);
    return next;
  }

  async close(): Promise<void> {
    await this.sync().catch(() => undefined);
    await this.#next(() => this.#file.close());
  }
}
