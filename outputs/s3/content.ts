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
  /** Compressed, in pieces of any size. */
  readonly pieces: AsyncIterable<Buffer>;
  /** SHA-256 of what was encoded, hex; known when the pieces have come to their end. */
  sha256(): string;
}

export function contentOf(
  batches: AsyncIterable<RecordBatch>,
  encoder: Encoder,
  compression: "gzip" | "zstd" | "none",
  signal: AbortSignal,
): Content {
  const hash = createHash("sha256");
  async function* lines(): AsyncGenerator<Buffer> {
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
    if (writer.length > 0) yield writer.take();
  }
  if (compression === "none") return { pieces: lines(), sha256: () => hash.digest("hex") };
  const packer = compression === "gzip" ? createGzip() : createZstdCompress();
  const source = Readable.from(lines(), { objectMode: false });
  source.on("error", (error) => packer.destroy(error));
  packer.on("close", () => source.destroy());
  return { pieces: source.pipe(packer), sha256: () => hash.digest("hex") };
}

/** Pieces put together to parts of exactly `size` bytes, but for the last. */
export async function* partsOf(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (let piece of pieces) {
    while (length + piece.length >= size) {
      const fits = size - length;
      yield Buffer.concat([...held, piece.subarray(0, fits)]);
      piece = piece.subarray(fits);
      held = [];
      length = 0;
    }
    if (piece.length > 0) held.push(piece);
    length += piece.length;
  }
  if (length > 0) yield Buffer.concat(held);
}
