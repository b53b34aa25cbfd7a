/** Goes through a segment block by block, and finds the way again behind damage. */
import { memoryPool } from "../api/memory-pool.ts";
import type { DiskFile } from "../state/disk.ts";
import { messageOf } from "../state/disk.ts";
import { type BlockHome, decodeMeta, decodePayload } from "./block.ts";
import {
  BLOCK_HEADER,
  type BlockHeader,
  BlockType,
  blockHeaderIntact,
  blockLength,
  decodeBlockHeader,
  PAGE,
  seedOf,
} from "./segment.ts";

const WINDOW = 128 * 1024;

/** Reads here and there in a file, neighbouring headers with one read. */
class Window {
  readonly #file: DiskFile;
  readonly #buffer = Buffer.allocUnsafeSlow(WINDOW);
  #from = 0;
  #length = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Fewer bytes only at the end of the file. Valid until the next call. */
  async read(position: number, length: number): Promise<Buffer> {
    if (length > WINDOW) {
      const big = Buffer.allocUnsafeSlow(length);
      return big.subarray(0, await this.#file.read(big, length, position));
    }
    if (position < this.#from || position + length > this.#from + this.#length) {
      this.#length = await this.#file.read(this.#buffer, WINDOW, position);
      this.#from = position;
    }
    const at = position - this.#from;
    return this.#buffer.subarray(at, Math.min(at + length, this.#length));
  }
}

export interface FoundBlock {
  readonly is: "block";
  readonly at: number;
  readonly length: number;
  readonly header: BlockHeader;
  readonly meta: object;
  /** Only where payloads were asked for. */
  readonly payload: Buffer | undefined;
}

/** Bytes that are no whole block. */
export interface FoundGap {
  readonly is: "gap";
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  /** It has traces of a block of this very segment, not only what was there before. */
  readonly ours: boolean;
  /** Where the header is whole and only the payload is not. */
  readonly header?: BlockHeader;
}

export interface WalkOptions {
  readonly payloads: boolean;
  /** Blocks at or above it are not this segment's. */
  readonly limit: number;
  readonly from?: number;
}

/** All blocks and gaps, in order. Ends at the last block below the limit or at the end of the file. */
export async function* walk(
  file: DiskFile,
  home: BlockHome,
  options: WalkOptions,
): AsyncGenerator<FoundBlock | FoundGap> {
  const size = await file.size();
  const window = new Window(file);
  let at = options.from ?? PAGE;
  let gapFrom = -1;
  let gapOurs = false;
  let lowest = 0;
  const gap = (to: number): FoundGap => {
    const found: FoundGap = { is: "gap", from: gapFrom, to, reason: "no valid block", ours: gapOurs };
    gapFrom = -1;
    gapOurs = false;
    return found;
  };
  while (at < size) {
    const page = await window.read(at, PAGE);
    const header = decodeBlockHeader(page);
    const ours = page.length >= BLOCK_HEADER && page.subarray(8, 24).equals(home.salt);
    const block = header && ours ? await window.read(at, BLOCK_HEADER + header.metaLength) : undefined;
    if (!header || !block || !isHere(header, home, at) || !blockHeaderIntact(block, header, home.seed)) {
      if (gapFrom < 0) gapFrom = at;
      gapOurs ||= ours;
      at += PAGE;
      continue;
    }
    // An honest block out of its order (a copy from elsewhere in this file) is damage too.
    const inOrder = header.type === BlockType.records ? header.seq >= lowest : true;
    if (header.type === BlockType.records && header.seq >= options.limit) break;
    if (!inOrder) {
      if (gapFrom < 0) gapFrom = at;
      at += PAGE;
      continue;
    }
    if (gapFrom >= 0) yield gap(at);
    const length = blockLength(header);
    if (header.type === BlockType.records) lowest = header.seq + 1;
    yield await open(file, home, header, block, at, options.payloads);
    at += length;
    if (header.type === BlockType.records && header.seq + 1 >= options.limit) return;
  }
  if (gapFrom >= 0) yield gap(size);
}

function isHere(header: BlockHeader, home: BlockHome, at: number): boolean {
  return header.number === home.number && header.page === at / PAGE;
}

async function open(
  file: DiskFile,
  home: BlockHome,
  header: BlockHeader,
  head: Buffer,
  at: number,
  payloads: boolean,
): Promise<FoundBlock | FoundGap> {
  const length = blockLength(header);
  try {
    const meta = decodeMeta(head, header, home.key);
    const payload = payloads ? await decodePayload(await readBlock(file, at, length), header, home.key) : undefined;
    return { is: "block", at, length, header, meta, payload };
  } catch (error) {
    return { is: "gap", from: at, to: at + length, reason: messageOf(error), ours: true, header };
  }
}

/** A whole block; shorter where the file ends in it. */
export async function readBlock(file: DiskFile, at: number, length: number): Promise<Buffer> {
  const block = memoryPool.take(length);
  return block.subarray(0, await file.read(block, length, at));
}

/** Salt and key id from any block of segment `number`, where the segment's own header is lost. */
export async function findHome(file: DiskFile, number: number): Promise<{ salt: Buffer; keyId: number } | undefined> {
  const size = await file.size();
  const window = new Window(file);
  for (let at = 0; at < size; at += PAGE) {
    const header = decodeBlockHeader(await window.read(at, PAGE));
    if (!header || header.number !== number) continue;
    const block = await window.read(at, BLOCK_HEADER + header.metaLength);
    if (blockHeaderIntact(block, header, seedOf(header.salt))) return { salt: header.salt, keyId: header.keyId };
  }
  return undefined;
}
