/** A batch as a block of a segment and back. The layout is documented in `segment.ts`. */
import { promisify } from "node:util";
import { constants, crc32, zstdCompress, zstdDecompress } from "node:zlib";
import { type Addition, type Cut, RecordBatch, type Source } from "../api/batch.ts";
import { ofRoute } from "../api/route.ts";
import { Part, seal, unseal } from "./keys.ts";
import {
  alignTo,
  BLOCK_HEADER,
  BlockFlag,
  type BlockHeader,
  type BlockType,
  encodeBlockHeader,
  PAGE,
  payloadStart,
  sealBlockHeader,
} from "./segment.ts";
import type { Delta, TotalsRows } from "./state.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const ZEROS = Buffer.alloc(PAGE);
/** Records apart from each other are gathered into one buffer once they are in more pieces than this: copying beats long vectors. */
const MAX_PIECES = 16;
/** Between neighbours stands a line end, stored with them rather than splitting them. */
const MAX_GAP = 2;

/** Meta of a block of records. */
export interface BatchMeta {
  /** The route; see `api/route.ts`. */
  readonly tag: string;
  readonly source: readonly [
    id: string,
    input: string,
    group: string,
    path?: string | null,
    facility?: string | null,
    severity?: string | null,
  ];
  readonly positions: Delta["positions"];
  /** State in base64. */
  readonly states: readonly (readonly [filter: string, group: string, state: string])[];
  /** Value in base64. */
  readonly additions: readonly (readonly [path: readonly string[], json: string])[];
  readonly readTime: number;
  readonly kind: string;
  readonly altered: boolean;
  readonly cuts: readonly (readonly [index: number, length: number, sha256: string])[];
  /** Of this block: read, created, filtered. */
  readonly counts: readonly [number, number, number];
  readonly bytes: number;
  /** With this block; its own tag's first. */
  readonly totals: TotalsRows;
}

/** Meta of a snapshot. */
export interface SnapshotMeta {
  readonly totals: TotalsRows;
}

/** What identifies the segment a block goes into. */
export interface BlockHome {
  readonly salt: Buffer;
  readonly seed: number;
  readonly number: number;
  readonly keyId: number;
  readonly key: Buffer | undefined;
}

export interface BlockContent {
  readonly type: (typeof BlockType)[keyof typeof BlockType];
  readonly seq: number;
  readonly time: number;
  readonly durable: number;
  readonly counter: number;
  /** Where it goes in the file. */
  readonly page: number;
  readonly meta: object;
  readonly payload: Payload;
}

export interface Payload {
  readonly parts: Buffer[];
  readonly length: number;
  readonly count: number;
  readonly recordsLength: number;
  readonly flags: number;
}

export const emptyPayload: Payload = { parts: [], length: 0, count: 0, recordsLength: 0, flags: 0 };

/** Memory for one block under way at a time, so that big buffers are not made (and their pages faulted in) for each. */
export class Scratch {
  #buffers: Buffer[] = [];

  take(slot: number, bytes: number): Buffer {
    let buffer = this.#buffers[slot];
    if (!buffer || buffer.length < bytes) {
      buffer = Buffer.allocUnsafeSlow(alignTo(Math.max(bytes, PAGE), 64 * 1024));
      this.#buffers[slot] = buffer;
    }
    return buffer.subarray(0, bytes);
  }
}

/** The batch's payload; it uses the batch's own bytes where they lie together. Valid until the scratch is used again. */
export function encodePayload(batch: RecordBatch, scratch: Scratch): Payload {
  const { count, starts, ends } = batch;
  if (count === 0) return emptyPayload;
  const withFlags = batch.flags?.some((flag) => flag !== 0) ?? false;
  const indexLength = 16 * count + (withFlags ? count : 0);
  const index = scratch.take(0, indexLength);
  const newStarts = new Uint32Array(index.buffer, index.byteOffset, count);
  const newEnds = new Uint32Array(index.buffer, index.byteOffset + 4 * count, count);
  // Where each piece begins and ends: hundreds of them, where a filter drops records, so no views.
  const pieces = new Uint32Array(scratch.take(2, 8 * count).buffer, 0, 2 * count);
  let cuts = 0;
  let from = starts[0]!;
  let last = from;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const gap = start - last;
    if (gap > MAX_GAP || gap < 0) {
      pieces[cuts++] = from;
      pieces[cuts++] = last;
      length += last - from;
      from = start;
    }
    last = ends[i]!;
    newStarts[i] = start - from + length;
    newEnds[i] = last - from + length;
  }
  pieces[cuts++] = from;
  pieces[cuts++] = last;
  length += last - from;
  new Float64Array(index.buffer, index.byteOffset + 8 * count, count).set(batch.offsets.subarray(0, count));
  if (withFlags) index.set(batch.flags!.subarray(0, count), 16 * count);
  const records =
    cuts > 2 * MAX_PIECES
      ? [gather(batch.buffer, pieces.subarray(0, cuts), scratch.take(1, length))]
      : Array.from({ length: cuts / 2 }, (_, i) => batch.buffer.subarray(pieces[2 * i], pieces[2 * i + 1]));
  const padded = alignTo(length, 8);
  return {
    parts: [...records, ZEROS.subarray(0, padded - length), index],
    length: padded + indexLength,
    count,
    recordsLength: length,
    flags: withFlags ? BlockFlag.recordFlags : 0,
  };
}

function gather(buffer: Buffer, pieces: Uint32Array, into: Buffer): Buffer {
  let at = 0;
  for (let i = 0; i < pieces.length; i += 2) at += buffer.copy(into, at, pieces[i], pieces[i + 1]);
  return into;
}

/** The parts to write, whole pages together. Compressing is done off this thread. */
export async function encodeBlock(
  home: BlockHome,
  content: BlockContent,
  zstd: boolean,
): Promise<{ parts: Buffer[]; length: number }> {
  const { payload } = content;
  let { parts, length } = payload;
  let flags = payload.flags;
  if (zstd && length > 0) {
    const packed = await compress(Buffer.concat(parts), {
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
      chunkSize: alignTo(length, 64 * 1024),
    });
    if (packed.length < length) {
      [parts, length] = [[packed], packed.length];
      flags |= BlockFlag.zstd;
    }
  }
  if (home.key) flags |= BlockFlag.encrypted;
  const meta = Buffer.from(JSON.stringify(content.meta));
  const start = payloadStart(meta.length);
  const head = Buffer.alloc(start);
  meta.copy(head, BLOCK_HEADER);
  const header = {
    ...content,
    ...home,
    flags,
    count: payload.count,
    metaLength: meta.length,
    payloadLength: length,
    rawLength: payload.length,
    recordsLength: payload.recordsLength,
    payloadCrc: 0,
  };
  encodeBlockHeader(head, header);
  if (home.key) {
    const sealed = seal(home.key, content.counter, Part.payload, parts, payloadAad(head));
    parts = sealed.parts;
    sealed.tag.copy(head, 112);
  }
  let crc = 0;
  for (const part of parts) crc = crc32(part, crc);
  head.writeUInt32LE(crc, 80);
  if (home.key) {
    const sealed = seal(home.key, content.counter, Part.meta, [meta], head.subarray(8, 96));
    sealed.parts[0]!.copy(head, BLOCK_HEADER);
    sealed.tag.copy(head, 96);
  }
  sealBlockHeader(head, meta.length, home.seed);
  const total = alignTo(start + length, PAGE);
  return { parts: [head, ...parts, ZEROS.subarray(0, total - start - length)], length: total };
}

function payloadAad(head: Buffer): Buffer {
  return Buffer.concat([head.subarray(8, 64), head.subarray(84, 96)]);
}

/** `block` holds at least header and meta, their CRC checked. Throws where it was not sealed with this key or is no JSON. */
export function decodeMeta(block: Buffer, h: BlockHeader, key: Buffer | undefined): object {
  const stored = block.subarray(BLOCK_HEADER, BLOCK_HEADER + h.metaLength);
  const plain =
    h.flags & BlockFlag.encrypted
      ? unseal(need(key), h.counter, Part.meta, stored, block.subarray(8, 96), block.subarray(96, 112))
      : stored;
  return JSON.parse(plain.toString()) as object;
}

function need(key: Buffer | undefined): Buffer {
  if (!key) throw new Error("the block is encrypted, its segment is not");
  return key;
}

/** `block` is the whole block. Throws, saying why, where the payload is not what was written. */
export async function decodePayload(block: Buffer, h: BlockHeader, key: Buffer | undefined): Promise<Buffer> {
  const start = payloadStart(h.metaLength);
  let payload = block.subarray(start, start + h.payloadLength);
  if (payload.length < h.payloadLength) throw new Error("payload cut short");
  if (crc32(payload) !== h.payloadCrc) throw new Error("payload checksum mismatch");
  if (h.flags & BlockFlag.encrypted) {
    payload = unseal(need(key), h.counter, Part.payload, payload, payloadAad(block), block.subarray(112, 128));
  }
  if (h.flags & BlockFlag.zstd) {
    payload = await decompress(payload, {
      maxOutputLength: Math.max(h.rawLength, 1),
      // One piece instead of many.
      chunkSize: Math.max(h.rawLength, 64),
    });
  }
  if (payload.length !== h.rawLength) throw new Error("payload length mismatch");
  return payload;
}

export function encodeMeta(batch: RecordBatch, delta: Delta, totals: TotalsRows): BatchMeta {
  const { source } = batch;
  return {
    tag: delta.tag,
    source: [
      source.id,
      source.input,
      source.group,
      source.path ?? null,
      source.facility ?? null,
      source.severity ?? null,
    ],
    positions: delta.positions,
    states: delta.states.map(([filter, group, state]) => [filter, group, Buffer.from(state).toString("base64")]),
    additions: batch.additions.map(({ path, json }) => [path, json.toString("base64")]),
    readTime: batch.readTime,
    kind: batch.kind,
    altered: batch.altered,
    cuts: batch.cuts ? [...batch.cuts].map(([index, cut]) => [index, cut.length, cut.sha256]) : [],
    counts: [delta.read, delta.created, delta.filtered],
    bytes: delta.bytes,
    totals,
  };
}

/** The batch as it was, over the payload's own memory. Its positions stay out: they are history by now. `release`: see `RecordBatch`. */
export function decodeBatch(
  h: BlockHeader,
  meta: BatchMeta,
  payload: Buffer,
  source: Source,
  release?: RecordBatch["release"],
): RecordBatch {
  const { count } = h;
  const at = alignTo(h.recordsLength, 8);
  if (payload.length < at + 16 * count + (h.flags & BlockFlag.recordFlags ? count : 0))
    throw new Error("index cut short");
  // Typed arrays need aligned memory, which decompressed payloads may not have.
  const memory = payload.byteOffset % 8 === 0 ? payload : Buffer.from(new Uint8Array(payload).buffer);
  const view = memory.byteOffset + at;
  return new RecordBatch({
    buffer: memory.subarray(0, h.recordsLength),
    starts: new Uint32Array(memory.buffer, view, count),
    ends: new Uint32Array(memory.buffer, view + 4 * count, count),
    offsets: new Float64Array(memory.buffer, view + 8 * count, count),
    count,
    ...ofRoute(meta.tag),
    source,
    readTime: meta.readTime,
    flags: h.flags & BlockFlag.recordFlags ? new Uint8Array(memory.buffer, view + 16 * count, count) : undefined,
    cuts:
      meta.cuts.length > 0
        ? new Map(meta.cuts.map(([i, length, sha256]): [number, Cut] => [i, { length, sha256 }]))
        : undefined,
    additions: meta.additions.map(([path, json]) => ({ path, json: Buffer.from(json, "base64") }) as Addition),
    kind: meta.kind,
    altered: meta.altered,
    release: memory === payload ? release : undefined,
  });
}

export function decodeSource(row: BatchMeta["source"]): Source {
  const [id, input, group, path, facility, severity] = row;
  return {
    id,
    input,
    group,
    ...(path ? { path } : {}),
    ...(facility ? { facility } : {}),
    ...(severity ? { severity } : {}),
  };
}

export function deltaOfMeta(h: BlockHeader, meta: BatchMeta): Delta {
  const [read, created, filtered] = meta.counts;
  return {
    tag: meta.tag,
    input: meta.source[1],
    positions: meta.positions,
    states: meta.states.map(([filter, group, state]) => [filter, group, Buffer.from(state, "base64")] as const),
    read,
    created,
    filtered,
    records: h.count,
    bytes: meta.bytes,
  };
}
