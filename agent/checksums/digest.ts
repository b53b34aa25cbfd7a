/** SHA-256 of a file's beginnings: several lengths in one pass, never more of it than there was when it was opened. */
import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, open } from "node:fs/promises";

/** It is there, and is no file whose content could be hashed. */
export class NotAFileError extends Error {
  constructor(what: string) {
    super(`is ${what}, not a file`);
    this.name = "NotAFileError";
  }
}

export interface Digests {
  /** Bytes when it was opened: what is appended meanwhile is not looked at. */
  readonly size: number;
  /** By length: of each one asked for that the file has, and of `size`. */
  readonly at: ReadonlyMap<number, string>;
  /** It had more when it was closed. */
  readonly growing: boolean;
}

const PIECE = 256 * 1024;

export async function digest(path: Buffer, lengths: readonly number[]): Promise<Digests> {
  // Opening alone can have effects on a device, so it is asked before, and again of what was opened.
  await lookAt(path);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = regular(await file.stat());
    const wanted = [...new Set([...lengths, size])].filter((n) => n <= size).sort((a, b) => a - b);
    const at = new Map<number, string>();
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(Math.min(PIECE, Math.max(size, 1)));
    let done = 0;
    for (const length of wanted) {
      while (done < length) {
        const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, length - done), done);
        // Cut while it was read.
        if (bytesRead === 0) return { size: done, at: at.set(done, hash.digest("hex")), growing: false };
        hash.update(piece.subarray(0, bytesRead));
        done += bytesRead;
      }
      at.set(length, hash.copy().digest("hex"));
    }
    return { size, at, growing: (await file.stat()).size > size };
  } finally {
    await file.close();
  }
}

/** Throws where it is not there, or no regular file. */
export async function lookAt(path: Buffer): Promise<void> {
  regular(await lstat(path));
}

function regular(stats: Stats): Stats {
  if (!stats.isFile()) throw new NotAFileError(kindOf(stats));
  return stats;
}

export function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
