/** What cannot be read by position: compressed files and standard input. The end of what was read is held in memory, within a bound. */
import { createReadStream } from "node:fs";
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { CannotCheck, reasonOf } from "./problem.ts";
import { FileText, type Text } from "./text.ts";

/** So much stays at hand behind the reader. */
const HELD = 64 * 1024 * 1024;
const BLOCK = 1024 * 1024;

export class StreamText implements Text {
  readonly path: string;
  lowest = 0;
  end = 0;
  /** All of it was read. */
  ended = false;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #held: number;
  /** One behind the other, from `lowest` on. */
  #blocks: Buffer[] = [];

  constructor(path: string, chunks: AsyncIterable<Buffer>, held: number = HELD) {
    this.path = path;
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#held = held;
  }

  /** Reads on until `to` is at hand, or the end. What lies further back than is held is let go of. */
  async fill(to: number): Promise<void> {
    let parts: Buffer[] = [];
    let length = 0;
    try {
      while (!this.ended && this.end + length < to) {
        const next = await this.#chunks.next();
        if (next.done === true) this.ended = true;
        else {
          parts.push(next.value);
          length += next.value.length;
        }
        if (length >= BLOCK || this.ended || this.end + length >= to) {
          if (length > 0) this.#blocks.push(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
          this.end += length;
          parts = [];
          length = 0;
        }
      }
    } catch (error) {
      throw new CannotCheck(`${this.path}: ${reasonOf(error)}`);
    }
  }

  /** Nobody will ask again for what lies more than is held before `position`. */
  release(position: number): void {
    while (this.#blocks.length > 1 && this.lowest + this.#blocks[0]!.length < position - this.#held) {
      this.lowest += this.#blocks.shift()!.length;
    }
  }

  read(from: number, to: number): Buffer {
    const start = Math.max(this.lowest, from);
    const end = Math.min(this.end, to);
    if (end <= start) return Buffer.alloc(0);
    const parts: Buffer[] = [];
    let at = this.lowest;
    for (const block of this.#blocks) {
      if (at >= end) break;
      if (at + block.length > start)
        parts.push(block.subarray(Math.max(0, start - at), Math.min(block.length, end - at)));
      at += block.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async close(): Promise<void> {
    this.#blocks = [];
    this.lowest = this.end;
    await this.#chunks.return?.();
  }
}

/** Whether these are the first bytes of a compressed file, and what opens it. */
function decompressor(head: Buffer): Transform | undefined {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8)
    return createGunzip({ chunkSize: BLOCK });
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress({ chunkSize: BLOCK });
  return undefined;
}

/** The text of a file, whatever its name says: compressed files are known by their first bytes. */
export function openText(path: string): FileText | StreamText {
  const file = new FileText(path);
  const opener = decompressor(file.read(0, 4));
  if (opener === undefined) return file;
  pipeline(createReadStream(path, { fd: file.giveAway(), start: 0, highWaterMark: 256 * 1024 }), opener, () => {});
  return new StreamText(path, opener);
}

/** The text of a stream, decompressed where it has to be. */
export function streamText(path: string, source: Readable): StreamText {
  return new StreamText(path, opened(source));
}

async function* opened(source: Readable): AsyncGenerator<Buffer> {
  const chunks = source.iterator({ destroyOnReturn: true }) as AsyncIterableIterator<Buffer>;
  let head: Buffer = Buffer.alloc(0);
  let done = false;
  while (head.length < 4 && !done) {
    const next = await chunks.next();
    if (next.done === true) done = true;
    else head = Buffer.concat([head, next.value]);
  }
  const opener = decompressor(head);
  if (opener === undefined) {
    if (head.length > 0) yield head;
    yield* chunks;
    return;
  }
  const whole = async function* () {
    yield head;
    yield* chunks;
  };
  pipeline(Readable.from(whole()), opener, () => {});
  yield* opener as AsyncIterable<Buffer>;
}
