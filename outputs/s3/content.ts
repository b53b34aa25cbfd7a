/** An object's content: encoded, hashed and compressed as a stream, never whole in memory. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";

/** Bytes of lines handed to the compressor at once. */
const CHUNK = 1024 * 1024;

export interface Content {
  /** Compressed, in pieces of any size. Who wants no more of them stops. */
  readonly pieces: AsyncIterable<Buffer>;
  /** SHA-256 of what is encoded, hex. Of what the pieces have not come to, the rest is read for it, and not compressed. */
  sha256(): Promise<string>;
}

export function contentOf(
  batches: AsyncIterable<RecordBatch>,
  encoder: Encoder,
  compression: "gzip" | "zstd" | "none",
  signal: AbortSignal,
): Content {
  const hash = createHash("sha256");
  let whole = false;
  async function* encoded(): AsyncGenerator<Buffer> {
    const writer = new ByteWriter(CHUNK);
    for await (const batch of batches) {
      signal.throwIfAborted();
      for (let i = 0; i < batch.count; i++) {
        encoder.encode(batch, i, writer);
        writer.byte(0x0a);
      }
      encoder.release();
      if (writer.length < CHUNK) continue;
      hash.update(writer.view());
      yield writer.take();
    }
    hash.update(writer.view());
    whole = true;
    if (writer.length > 0) yield writer.take();
  }
  const lines = encoded();
  // Without `return`: who stops taking pieces leaves the rest of the lines to `sha256`.
  const kept = { [Symbol.asyncIterator]: () => ({ next: () => lines.next() }) };
  return {
    pieces: compression === "none" ? kept : packed(kept, compression),
    async sha256() {
      for await (const _ of lines);
      // What failed while the compressor still asked was said to nobody.
      if (!whole) throw new Error("the records could not be read to their end");
      return hash.digest("hex");
    },
  };
}

function packed(lines: AsyncIterable<Buffer>, compression: "gzip" | "zstd"): AsyncIterable<Buffer> {
  const packer = compression === "gzip" ? createGzip() : createZstdCompress();
  const source = Readable.from(lines, { objectMode: false });
  source.on("error", (error) => packer.destroy(error));
  packer.on("close", () => source.destroy());
  return source.pipe(packer);
}

/**
 * Pieces put together to parts of exactly `size` bytes, but for the last. One at a time: what the part before was made of is let go before the
 * next is begun, and the memory that a part does not fill is never touched.
 */
export async function* partsOf(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let part: Buffer | undefined;
  let length = 0;
  // Not a variable of the generator's: it would hold the part before until the next is full.
  const taken = () => {
    const full = part!.subarray(0, length);
    part = undefined;
    length = 0;
    return full;
  };
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      part ??= Buffer.allocUnsafeSlow(size);
      const copied = piece.copy(part, length, at);
      at += copied;
      length += copied;
      if (length === size) yield taken();
    }
  }
  if (part !== undefined) yield taken();
}
