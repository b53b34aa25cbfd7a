/**
 * The format of a queue segment, version 1. All numbers are little-endian; f64 holds an exact integer.
 *
 * A segment file `NNNNNNNNNN.segment` is a sequence of 4 KiB pages. Page 0 is the segment header, every block starts on a page:
 *
 *   segment header (64 bytes, the rest of page 0 is unused)
 *      0  8  "AAQUEUE\0"
 *      8  4  u32 format version. The first 16 bytes and what the CRC covers stay as they are in all versions.
 *     12  4  u32 CRC-32 of bytes 0..12 and 16..64
 *     16 16  salt, random
 *     32  8  f64 number of the segment, as in its name
 *     40  8  f64 base: the sequence number of its first block of records
 *     48  4  u32 key id; 0: not encrypted
 *     52 12  zero
 *
 *   block = header (128 bytes), meta, zeros up to a multiple of 8, payload, then anything up to the next page
 *      0  4  "QBLK"
 *      4  4  u32 CRC-32 of bytes 8..128 and of the stored meta, seeded with the CRC-32 of the salt
 *      8 16  the segment's salt, so that a lost segment header loses nothing
 *     24  8  f64 number of the segment
 *     32  8  f64 sequence number (of a snapshot and an end: of the next block of records)
 *     40  8  f64 time of writing, milliseconds since the epoch
 *     48  8  f64 durable: every block up to this sequence number had been fsynced when this one was written
 *     56  1  u8 type: 1 records, 2 snapshot, 3 end (written by an orderly close, durable)
 *     57  1  u8 flags: 1 payload is zstd, 2 meta and payload are encrypted, 4 payload has record flags
 *     58  2  zero
 *     60  4  u32 number of records
 *     64  4  u32 bytes of the meta as stored
 *     68  4  u32 bytes of the payload as stored
 *     72  4  u32 bytes of the payload, decompressed
 *     76  4  u32 bytes of the records region
 *     80  4  u32 CRC-32 of the payload as stored
 *     84  4  u32 counter of the block in this segment, for the nonces; never used twice
 *     88  4  u32 key id; 0: not encrypted
 *     92  4  u32 page of the block in the file, so that a misplaced copy of it is seen
 *     96 16  GCM tag of the meta
 *    112 16  GCM tag of the payload
 *
 *   meta: JSON, see `BatchMeta` and `SnapshotMeta` in `block.ts`.
 *   payload of records: the records region (their bytes as written, kept ones only), zeros up to a multiple of 8, u32 start of each
 *     record in the region, u32 end of each, f64 source offset of each, and with flag 4 a byte of record flags each.
 *   payload of a snapshot: JSON, all source positions and filter states as of before the base. It is written twice.
 *
 * Encryption is AES-256-GCM under a key of the segment, HKDF-SHA-256(master key, salt). Nonce: counter u32, 0 for the payload or 1 for
 * the meta u32, zero u32. Authenticated with the payload: header bytes 8..64 and 84..96; with the meta: header bytes 8..96.
 *
 * Invariants
 * - Sequence numbers grow by one from block to block, also across segments; only damage and discarded tails leave gaps.
 * - Blocks of a segment lie below the base of the next segment; what a segment has at or above it was written again there.
 * - Files are recycled: what lies behind the last block may be of an earlier life. It never has this segment's salt and number.
 * - Nothing is appended to a segment that an earlier process wrote. A segment whose fsync failed is never written again.
 * - A segment is removed only after the snapshot of a later one, its file and the directory are fsynced, and every cursor is past it.
 * - A block above every `durable` mark (of blocks, and of cursors) may be torn, and then it and all behind it never happened:
 *   nobody was given them. Below, it is damage: it is set aside and counted.
 */
import { crc32 } from "node:zlib";

export const PAGE = 4096;
export const FORMAT_VERSION = 1;
export const SEGMENT_HEADER = 64;
export const BLOCK_HEADER = 128;
/** Sanity limits for lengths read from disk, in bytes; a batch's bytes are addressed by 32 bits anyway. */
export const MAX_META = 64 * 1024 * 1024;
export const MAX_PAYLOAD = 1024 * 1024 * 1024;

const SEGMENT_MAGIC = Buffer.from("AAQUEUE\0");
const BLOCK_MAGIC = 0x4b4c4251;

export const BlockType = { records: 1, snapshot: 2, end: 3 } as const;
export const BlockFlag = { zstd: 1, encrypted: 2, recordFlags: 4 } as const;

export interface SegmentHeader {
  readonly salt: Buffer;
  readonly number: number;
  readonly base: number;
  readonly keyId: number;
}

export interface BlockHeader {
  readonly salt: Buffer;
  readonly number: number;
  readonly seq: number;
  readonly time: number;
  readonly durable: number;
  readonly type: number;
  readonly flags: number;
  readonly count: number;
  readonly metaLength: number;
  readonly payloadLength: number;
  readonly rawLength: number;
  readonly recordsLength: number;
  readonly payloadCrc: number;
  readonly counter: number;
  readonly keyId: number;
  readonly page: number;
}

/** A segment of a version this agent does not know; nothing was touched. */
export class NewerFormatError extends Error {
  constructor(path: string, version: number) {
    super(
      `${path} was written by a newer version of the agent (format ${version}, this one reads up to ${FORMAT_VERSION}); nothing was changed`,
    );
    this.name = "NewerFormatError";
  }
}

export const segmentName = (number: number) => `${String(number).padStart(10, "0")}.segment`;

export function segmentNumber(name: string): number | undefined {
  return /^\d{10,16}\.segment$/.test(name) ? Number.parseInt(name, 10) : undefined;
}

export const alignTo = (bytes: number, unit: number) => Math.ceil(bytes / unit) * unit;
export const payloadStart = (metaLength: number) => alignTo(BLOCK_HEADER + metaLength, 8);
export const blockLength = (h: BlockHeader) => alignTo(payloadStart(h.metaLength) + h.payloadLength, PAGE);
export const seedOf = (salt: Uint8Array) => crc32(salt);

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const page = Buffer.alloc(PAGE);
  SEGMENT_MAGIC.copy(page);
  page.writeUInt32LE(FORMAT_VERSION, 8);
  header.salt.copy(page, 16);
  page.writeDoubleLE(header.number, 32);
  page.writeDoubleLE(header.base, 40);
  page.writeUInt32LE(header.keyId, 48);
  page.writeUInt32LE(segmentCrc(page), 12);
  return page;
}

/** Undefined where there is no whole header. Throws NewerFormatError for one of another version. */
export function decodeSegmentHeader(page: Buffer, path: string): SegmentHeader | undefined {
  if (page.length < SEGMENT_HEADER || !page.subarray(0, 8).equals(SEGMENT_MAGIC)) return undefined;
  if (page.readUInt32LE(12) !== segmentCrc(page)) return undefined;
  const version = page.readUInt32LE(8);
  if (version !== FORMAT_VERSION) throw new NewerFormatError(path, version);
  return {
    salt: Buffer.from(page.subarray(16, 32)),
    number: page.readDoubleLE(32),
    base: page.readDoubleLE(40),
    keyId: page.readUInt32LE(48),
  };
}

function segmentCrc(page: Buffer): number {
  return crc32(page.subarray(16, SEGMENT_HEADER), crc32(page.subarray(0, 12)));
}

/** Everything but the CRC and the GCM tags. */
export function encodeBlockHeader(into: Buffer, h: BlockHeader): void {
  into.fill(0, 0, BLOCK_HEADER);
  into.writeUInt32LE(BLOCK_MAGIC, 0);
  h.salt.copy(into, 8);
  into.writeDoubleLE(h.number, 24);
  into.writeDoubleLE(h.seq, 32);
  into.writeDoubleLE(h.time, 40);
  into.writeDoubleLE(h.durable, 48);
  into[56] = h.type;
  into[57] = h.flags;
  into.writeUInt32LE(h.count, 60);
  into.writeUInt32LE(h.metaLength, 64);
  into.writeUInt32LE(h.payloadLength, 68);
  into.writeUInt32LE(h.rawLength, 72);
  into.writeUInt32LE(h.recordsLength, 76);
  into.writeUInt32LE(h.payloadCrc, 80);
  into.writeUInt32LE(h.counter, 84);
  into.writeUInt32LE(h.keyId, 88);
  into.writeUInt32LE(h.page, 92);
}

/** Puts the CRC over header and stored meta, which must stand behind each other in `block`. */
export function sealBlockHeader(block: Buffer, metaLength: number, seed: number): void {
  block.writeUInt32LE(crc32(block.subarray(8, BLOCK_HEADER + metaLength), seed), 4);
}

/** The header at the start of `page`, its lengths sane but its CRC not yet checked; undefined where there is none. */
export function decodeBlockHeader(page: Buffer): BlockHeader | undefined {
  if (page.length < BLOCK_HEADER || page.readUInt32LE(0) !== BLOCK_MAGIC) return undefined;
  const h: BlockHeader = {
    salt: Buffer.from(page.subarray(8, 24)),
    number: page.readDoubleLE(24),
    seq: page.readDoubleLE(32),
    time: page.readDoubleLE(40),
    durable: page.readDoubleLE(48),
    type: page[56]!,
    flags: page[57]!,
    count: page.readUInt32LE(60),
    metaLength: page.readUInt32LE(64),
    payloadLength: page.readUInt32LE(68),
    rawLength: page.readUInt32LE(72),
    recordsLength: page.readUInt32LE(76),
    payloadCrc: page.readUInt32LE(80),
    counter: page.readUInt32LE(84),
    keyId: page.readUInt32LE(88),
    page: page.readUInt32LE(92),
  };
  const sane =
    h.metaLength <= MAX_META &&
    h.payloadLength <= MAX_PAYLOAD &&
    h.rawLength <= MAX_PAYLOAD &&
    Number.isSafeInteger(h.seq) &&
    Number.isSafeInteger(h.number);
  return sane ? h : undefined;
}

/** `block` must hold the header and all of the stored meta. */
export function blockHeaderIntact(block: Buffer, h: BlockHeader, seed: number): boolean {
  const end = BLOCK_HEADER + h.metaLength;
  return block.length >= end && block.readUInt32LE(4) === crc32(block.subarray(8, end), seed);
}
