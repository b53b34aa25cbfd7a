/**
 * Encrypted archive files.
 *
 *   file   = header, chunk …
 *   header = "AAGENTS1", key id (8 bytes), salt (32 bytes)
 *   chunk  = 64 bytes of chunk header, then the ciphertext:
 *            0 "CHNK" · 4 flags · 5 three zeros · 8 ciphertext length · 12 plain length · 16 plan (16 bytes) · 32 nonce (12 bytes)
 *            · 44 tag (16 bytes) · 60 CRC-32 of the 60 bytes before
 *   flags  = 0 plain, 1 gzip, 2 zstd (of the text before encryption), + 128 on the last chunk of a write
 * Numbers are little endian, unsigned, 32 bits.
 *
 * AES-256-GCM under a key of the file's own: HKDF-SHA256 of the configured key with the file's salt. Random nonces: one key never seals
 * anywhere near 2^32 chunks. Authenticated with each chunk are bytes 0 to 43 of its header and its position in the file, so chunks can
 * be neither altered, moved, exchanged nor left out; only chunks cut off at the end go unnoticed, as in any file that still grows.
 * `plan` is the beginning of SHA-256 of the write's id: a write made again finds itself by it.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { crc32, gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";

export const FILE_HEADER = 48;
export const CHUNK_HEADER = 64;
const MAGIC = Buffer.from("AAGENTS1");
const CHUNK_MAGIC = Buffer.from("CHNK");
const LAST = 128;
const METHOD = { none: 0, gzip: 1, zstd: 2 } as const;
export type Compression = keyof typeof METHOD;

/** 32 bytes from 64 hex digits or base64; undefined where it is neither. */
export function parseKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, "hex") : Buffer.from(trimmed, "base64");
  const wellFormed = /^[0-9a-f]{64}$/i.test(trimmed) || /^[\w+/-]{43}=?$/.test(trimmed);
  return wellFormed && key.length === 32 ? key : undefined;
}

const keyId = (key: Buffer) => Buffer.from(hkdfSync("sha256", key, "", "audit-agent key id", 8));

export function newFileHeader(key: Buffer): Buffer {
  return Buffer.concat([MAGIC, keyId(key), randomBytes(32)]);
}

export function isHeaderStart(bytes: Buffer): boolean {
  return bytes.length < FILE_HEADER && bytes.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, bytes.length));
}

/** The file's own key; throws where the header is none, or was made with another key. */
export function fileKey(key: Buffer, header: Buffer): Buffer {
  if (header.length < FILE_HEADER || !header.subarray(0, 8).equals(MAGIC)) throw new Error("not an encrypted archive");
  if (!header.subarray(8, 16).equals(keyId(key))) throw new Error("encrypted with another key");
  return Buffer.from(hkdfSync("sha256", key, header.subarray(16, FILE_HEADER), "audit-agent archive file", 32));
}

export const planHash = (id: string) => createHash("sha256").update(id).digest().subarray(0, 16);

export interface ChunkHeader {
  readonly bytes: Buffer;
  readonly method: number;
  readonly last: boolean;
  readonly length: number;
  readonly plainLength: number;
  readonly plan: Buffer;
}

/** Undefined where the bytes are no chunk header. */
export function readChunkHeader(bytes: Buffer): ChunkHeader | undefined {
  if (bytes.length < CHUNK_HEADER || !bytes.subarray(0, 4).equals(CHUNK_MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined;
  const flags = bytes[4]!;
  return {
    bytes: Buffer.from(bytes.subarray(0, CHUNK_HEADER)),
    method: flags & ~LAST,
    last: (flags & LAST) !== 0,
    length: bytes.readUInt32LE(8),
    plainLength: bytes.readUInt32LE(12),
    plan: Buffer.from(bytes.subarray(16, 32)),
  };
}

function authenticated(header: Buffer, position: number): Buffer {
  const bytes = Buffer.alloc(52);
  header.copy(bytes, 0, 0, 44);
  bytes.writeBigUInt64LE(BigInt(position), 44);
  return bytes;
}

/** One write as one chunk, for `position` in the file. */
export async function sealChunk(
  key: Buffer,
  plain: Buffer,
  position: number,
  plan: Buffer,
  compression: Compression,
): Promise<Buffer> {
  const packed = await pack(plain, compression);
  const header = Buffer.alloc(CHUNK_HEADER);
  CHUNK_MAGIC.copy(header);
  header[4] = METHOD[compression] | LAST;
  header.writeUInt32LE(packed.length, 8);
  header.writeUInt32LE(plain.length, 12);
  plan.copy(header, 16);
  randomBytes(12).copy(header, 32);
  const cipher = createCipheriv("aes-256-gcm", key, header.subarray(32, 44));
  cipher.setAAD(authenticated(header, position));
  const sealed = Buffer.concat([cipher.update(packed), cipher.final()]);
  cipher.getAuthTag().copy(header, 44);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  return Buffer.concat([header, sealed]);
}

/** The text of a chunk that stood at `position`; throws where it was altered or moved. */
export async function openChunk(key: Buffer, header: ChunkHeader, sealed: Buffer, position: number): Promise<Buffer> {
  const decipher = createDecipheriv("aes-256-gcm", key, header.bytes.subarray(32, 44), { authTagLength: 16 });
  decipher.setAAD(authenticated(header.bytes, position));
  decipher.setAuthTag(header.bytes.subarray(44, 60));
  const packed = Buffer.concat([decipher.update(sealed), decipher.final()]);
  return await unpack(packed, header.method, header.plainLength);
}

async function pack(plain: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === "gzip") return await promisify<Buffer, Buffer>(gzip)(plain);
  return compression === "zstd" ? await promisify<Buffer, Buffer>(zstdCompress)(plain) : plain;
}

async function unpack(packed: Buffer, method: number, length: number): Promise<Buffer> {
  if (method === METHOD.none) return packed;
  const options = { maxOutputLength: Math.max(length, 1) };
  if (method === METHOD.gzip) return await promisify<Buffer, typeof options, Buffer>(gunzip)(packed, options);
  if (method === METHOD.zstd) return await promisify<Buffer, typeof options, Buffer>(zstdDecompress)(packed, options);
  throw new Error(`unknown compression ${method}`);
}
