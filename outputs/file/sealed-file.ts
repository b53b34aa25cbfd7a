/** Reading encrypted archive files back, and finding out how far one is whole. */
import { type FileHandle, open } from "node:fs/promises";
import {
  CHUNK_HEADER,
  type ChunkHeader,
  FILE_HEADER,
  fileKey,
  isHeaderStart,
  openChunk,
  readChunkHeader,
} from "./seal.ts";

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

/** The file's own key; throws where the file is not an encrypted one, or of another key. */
export async function openKey(file: FileHandle, key: Buffer): Promise<Buffer> {
  return fileKey(key, await readAt(file, 0, FILE_HEADER));
}

/** Whether the file is no more than the beginning of an encrypted one, or what a power cut left of it. */
export async function unfinishedHeader(file: FileHandle): Promise<boolean> {
  const start = await readAt(file, 0, FILE_HEADER + CHUNK_HEADER);
  return isHeaderStart(start) || start.every((byte) => byte === 0);
}

/** The chunks from `position` on that are whole by their headers, with where they stand. */
export async function* chunks(
  file: FileHandle,
  position = FILE_HEADER,
): AsyncGenerator<{ readonly header: ChunkHeader; readonly at: number; readonly end: number }> {
  const { size } = await file.stat();
  for (let at = position; ; ) {
    const header = readChunkHeader(await readAt(file, at, CHUNK_HEADER));
    if (header === undefined || at + CHUNK_HEADER + header.length > size) return;
    const end = at + CHUNK_HEADER + header.length;
    yield { header, at, end };
    at = end;
  }
}

/** End of the last whole chunk. */
export async function wholeLength(file: FileHandle): Promise<number> {
  let length = FILE_HEADER;
  for await (const { end } of chunks(file)) length = end;
  return length;
}

/** The end of the write `plan`, if it stands whole at or after `position`. */
export async function findPlan(
  file: FileHandle,
  key: Buffer,
  position: number,
  plan: Buffer,
): Promise<number | undefined> {
  for await (const { header, at, end } of chunks(file, Math.max(position, FILE_HEADER))) {
    if (!header.plan.equals(plan) || !header.last) continue;
    const sealed = await readAt(file, at + CHUNK_HEADER, header.length);
    const opened = await openChunk(key, header, sealed, at).catch(() => undefined);
    if (opened !== undefined) return end;
  }
  return undefined;
}

/**
 * The text of an encrypted archive, a chunk at a time. Throws where a chunk was altered, moved or left out, or the key is another; and,
 * behind the last whole chunk, where bytes are left: an unfinished write (the agent cuts it off when it writes again), or damage.
 */
export async function* readSealed(path: string, key: Buffer): AsyncGenerator<Buffer> {
  const file = await open(path, "r");
  try {
    const own = await openKey(file, key);
    let read = FILE_HEADER;
    for await (const { header, at, end } of chunks(file)) {
      const sealed = await readAt(file, at + CHUNK_HEADER, header.length);
      try {
        yield await openChunk(own, header, sealed, at);
      } catch (cause) {
        throw new Error(`${path}: the chunk at ${at} was altered or moved`, { cause });
      }
      read = end;
    }
    const { size } = await file.stat();
    if (read < size) throw new Error(`${path}: the last ${size - read} bytes, from ${read}, are no whole chunk`);
  } finally {
    await file.close();
  }
}
