/**
 * Appending a group of lines so that it is there once, whole, whatever happens in between.
 *
 * The note, stored before the write, holds the file's length. When the same write is made again, what follows that length says what
 * became of it: all of it → nothing to do; a beginning of it, or blocks that a power cut left as zeros → the rest is written; anything
 * else was written by somebody else and stays, and the group goes behind it.
 */

/** What appending needs of a `FileHandle`. */
export interface AppendFile {
  stat(): Promise<{ readonly size: number }>;
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** Writes at the end of the file. */
  write(buffer: Buffer, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
  truncate(size: number): Promise<void>;
  /** As `fdatasync`: with what is needed to read the file again, its size included. */
  datasync(): Promise<void>;
}

const NEWLINE = 0x0a;

/** Appends and syncs; after a failure the file has its former length again, as far as the disk allows. */
export async function append(file: AppendFile, bytes: Buffer): Promise<void> {
  const { size } = await file.stat();
  try {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
    await file.datasync();
  } catch (error) {
    await file.truncate(size).catch(() => {});
    throw error;
  }
}

/** Appends lines: on a line of their own, even where somebody left the last one unfinished. */
export async function appendLines(file: AppendFile, lines: Buffer): Promise<void> {
  const { size } = await file.stat();
  await append(file, await ownLine(file, size, lines));
}

/** Makes the write of these lines again, begun when the file had `length` bytes. True where they were all there already. */
export async function repeatLines(file: AppendFile, length: number, lines: Buffer): Promise<boolean> {
  const { size } = await file.stat();
  if (size < length) {
    await appendLines(file, lines);
    return false;
  }
  const wanted = await ownLine(file, length, lines);
  const found = await readFrom(file, length, size);
  if (found.includes(lines) && (startsWith(found, wanted) || afterOthers(found, lines))) {
    await file.datasync();
    return true;
  }
  const torn = tornAt(found, wanted);
  if (torn >= 0) await file.truncate(length + torn);
  await appendLines(file, lines);
  return false;
}

/** The lines, with a newline before them where the file's first `length` bytes end without one. */
async function ownLine(file: AppendFile, length: number, lines: Buffer): Promise<Buffer> {
  if (length === 0) return lines;
  const [last] = await readFrom(file, length - 1, length);
  return last === NEWLINE ? lines : Buffer.concat([Buffer.of(NEWLINE), lines]);
}

async function readFrom(file: AppendFile, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start);
  let read = 0;
  while (read < buffer.length) {
    const { bytesRead } = await file.read(buffer, read, buffer.length - read, start + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}

const startsWith = (bytes: Buffer, start: Buffer) => bytes.subarray(0, start.length).equals(start);

function afterOthers(found: Buffer, lines: Buffer): boolean {
  const at = found.indexOf(lines);
  return at > 0 && found[at - 1] === NEWLINE;
}

/** Where in `found` an unfinished write of `wanted` begins; -1 where there is none. */
function tornAt(found: Buffer, wanted: Buffer): number {
  let same = 0;
  while (same < found.length && found[same] === wanted[same]) same++;
  if (found.subarray(same).every((byte) => byte === 0)) return 0;
  // Behind lines of somebody else: the unfinished last line, or all from where the first line stands.
  const line = wanted.subarray(0, wanted.indexOf(NEWLINE) + 1);
  const first = found.lastIndexOf(line);
  if (first >= 0 && startsWith(wanted, found.subarray(first))) return first;
  const last = found.lastIndexOf(NEWLINE) + 1;
  return last < found.length && startsWith(wanted, found.subarray(last)) ? last : -1;
}
