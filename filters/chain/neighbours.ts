/** What the files beside a log say: which hash each of them ends with, on which line an offset lies, whether a hash stands in one. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { type ChainReader, Entry } from "../../agent/integrity/reader.ts";

/** Of a directory, so many files are looked into: those next to the one in question by name. */
const MOST_FILES = 64;
/** An entry longer than this is not found at a file's end. */
const TAIL_BYTES = 1024 * 1024;
const FIRST_TAIL_BYTES = 32 * 1024;
/** So many of a file's last lines are looked at for an entry with a hash. */
const LAST_LINES = 64;
/** Compressed files are looked into up to so many bytes of them together, and of what is in them. */
const MOST_PACKED_BYTES = 8 * 1024 * 1024;
const MOST_UNPACKED_BYTES = 128 * 1024 * 1024;
/** So far an offset's line is counted, and a hash is looked for before it. */
const MOST_COUNTED_BYTES = 64 * 1024 * 1024;
const MOST_SEARCHED_BYTES = 16 * 1024 * 1024;
const CHUNK = 1024 * 1024;
const NEWLINE = 0x0a;

export const isPacked = (path: string) => /\.(gz|zst)$/.test(path);

/** The hash that the last entry of some file beside `path` carries, where `wanted` takes it. The file itself is not looked into. */
export function hashBeside(
  path: string,
  reader: ChainReader,
  wanted: (hash: string) => boolean,
): { readonly path: string; readonly hash: string } | undefined {
  const budget = { packed: MOST_PACKED_BYTES, unpacked: MOST_UNPACKED_BYTES };
  for (const other of filesBeside(path)) {
    const hash = lastHash(other, reader, budget);
    if (hash !== undefined && wanted(hash)) return { path: other, hash };
  }
  return undefined;
}

/** Bytes that may still be read of compressed files. */
interface Budget {
  packed: number;
  unpacked: number;
}

/** Files whose names begin alike, up to the first digit or to their ending; the nearest by name first. */
function filesBeside(path: string): string[] {
  const own = basename(path);
  const prefix = /^[^\d]*?(?=[-_.]?\d|\.[^.]*$|$)/.exec(own)![0];
  let names: string[];
  try {
    names = readdirSync(dirname(path)).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
  if (!names.includes(own)) names.push(own);
  names.sort();
  const at = names.indexOf(own);
  return names
    .map((name, i) => ({ name, distance: Math.abs(i - at) }))
    .filter(({ distance }) => distance > 0)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MOST_FILES)
    .map(({ name }) => join(dirname(path), name));
}

function lastHash(path: string, reader: ChainReader, budget: Budget): string | undefined {
  return withFile(path, (file, size) => {
    if (isPacked(path)) {
      if (size > budget.packed || budget.unpacked === 0) return undefined;
      budget.packed -= size;
      const most = budget.unpacked;
      // What turns out to be too long took its time as well.
      budget.unpacked = 0;
      const bytes = unpacked(path, file, size, most);
      budget.unpacked = most - bytes.length;
      return lastHashIn(bytes, reader, true);
    }
    for (const length of [FIRST_TAIL_BYTES, TAIL_BYTES]) {
      const from = Math.max(0, size - length);
      const found = lastHashIn(readAt(file, from, size - from), reader, from === 0);
      if (found !== undefined || from === 0) return found;
    }
    return undefined;
  });
}

/** `whole`: the bytes begin with a line. */
function lastHashIn(bytes: Buffer, reader: ChainReader, whole: boolean): string | undefined {
  let end = bytes.length;
  for (let lines = 0; end > 0 && lines < LAST_LINES; lines++) {
    const before = bytes.lastIndexOf(NEWLINE, end - 1);
    const start = before + 1;
    if (start === 0 && !whole) return undefined;
    // The last line may be empty, or under way.
    if (start < end && reader.read(bytes, start, end) === Entry.chained) return reader.stored;
    if (before <= 0) return undefined;
    end = before;
  }
  return undefined;
}

/** The line that begins at `offset`, counted from 1, where it still begins with these bytes; undefined where that cannot be told. */
export class LineCounter {
  /** Where counting got to, of the file asked for last. */
  #known = { id: "", offset: 0, line: 1 };

  lineAt(path: string, id: string, offset: number, bytes: Buffer): number | undefined {
    if (isPacked(path)) return undefined;
    const from = this.#known.id === id && this.#known.offset <= offset ? this.#known : { id, offset: 0, line: 1 };
    if (offset - from.offset > MOST_COUNTED_BYTES) return undefined;
    return withFile(path, (file) => {
      const there = readAt(file, offset, bytes.length);
      if (!there.equals(bytes)) return undefined;
      let { line } = from;
      for (let at = from.offset; at < offset; at += CHUNK) {
        const chunk = readAt(file, at, Math.min(CHUNK, offset - at));
        for (let p = chunk.indexOf(NEWLINE); p >= 0; p = chunk.indexOf(NEWLINE, p + 1)) line++;
      }
      this.#known = { id, offset, line };
      return line;
    });
  }
}

/** Whether an entry before `offset` has this hash: looked for in the 16 MiB before it. */
export function standsBefore(path: string, offset: number, hash: string, reader: ChainReader): boolean {
  if (isPacked(path) || hash.length !== 64) return false;
  const from = Math.max(0, offset - MOST_SEARCHED_BYTES);
  const found = withFile(path, (file) => {
    const bytes = readAt(file, from, offset - from);
    let end = 0;
    // Each line once, however often it has the hash.
    for (let at = bytes.indexOf(hash); at >= 0; at = bytes.indexOf(hash, end)) {
      const start = bytes.lastIndexOf(NEWLINE, at) + 1;
      end = bytes.indexOf(NEWLINE, at);
      if (end < 0) return false;
      if (reader.read(bytes, start, end) === Entry.chained && reader.stored === hash) return true;
    }
    return false;
  });
  return found ?? false;
}

/** undefined where there is no such regular file, or it cannot be read: this is about evidence, not about the disk. */
function withFile<T>(path: string, use: (file: number, size: number) => T): T | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const about = fstatSync(file);
    return about.isFile() ? use(file, about.size) : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function unpacked(path: string, file: number, size: number, most: number): Buffer {
  const bytes = readAt(file, 0, size);
  const options = { maxOutputLength: most };
  return path.endsWith(".gz") ? gunzipSync(bytes, options) : zstdDecompressSync(bytes, options);
}

function readAt(file: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, length));
  let got = 0;
  while (got < bytes.length) {
    const n = readSync(file, bytes, got, bytes.length - got, from + got);
    if (n === 0) break;
    got += n;
  }
  return bytes.subarray(0, got);
}
