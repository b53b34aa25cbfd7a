/** The few file operations everything durable is built of, as an interface so that tests can make each of them fail. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, statfs, unlink } from "node:fs/promises";
import { dirname } from "node:path";

export interface DiskFile {
  /** Reads up to `length` bytes into the start of `buffer`; fewer only at the end of the file. */
  read(buffer: Uint8Array, length: number, position: number): Promise<number>;
  /** Writes all parts, one after the other. */
  writev(parts: readonly Uint8Array[], position: number): Promise<void>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** `create` fails where the file exists; `write` opens an existing one for reading and writing. */
export type OpenMode = "read" | "write" | "create";

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a directory, sorted. */
  list(directory: string): Promise<string[]>;
  mkdir(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
  /** Bytes this process may still write to the directory's file system. */
  freeBytes(directory: string): Promise<number>;
}

const FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** More parts than this and the kernel refuses (IOV_MAX). */
const MAX_PARTS = 1024;

class RealFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, length: number, position: number): Promise<number> {
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async writev(parts: readonly Uint8Array[], position: number): Promise<void> {
    let rest: Uint8Array[] = parts.filter((part) => part.byteLength > 0);
    let at = position;
    while (rest.length > 0) {
      let { bytesWritten } = await this.#handle.writev(rest.slice(0, MAX_PARTS), at);
      at += bytesWritten;
      let whole = 0;
      while (whole < rest.length && bytesWritten >= rest[whole]!.byteLength) bytesWritten -= rest[whole++]!.byteLength;
      rest = rest.slice(whole);
      if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
    }
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }
  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }
  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }
  close(): Promise<void> {
    return this.#handle.close();
  }
}

export const realDisk: Disk = {
  async open(path, mode) {
    return new RealFile(await open(path, FLAGS[mode] | constants.O_NOFOLLOW, 0o600));
  },
  async list(directory) {
    return (await readdir(directory)).sort();
  },
  async mkdir(directory) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  },
  rename,
  async remove(path) {
    await unlink(path).catch((error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
  },
  async syncDirectory(directory) {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(directory) {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  },
};

/** `ENOSPC` of a system error; undefined for anything else (a bug of ours, say). */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return "syscall" in error ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Replaces a small file so that after any crash either the old or the new content is there. */
export async function writeSmall(disk: Disk, path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.writev([content], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(dirname(path));
}

/** The whole of a small file; undefined where there is none. */
export async function readSmall(disk: Disk, path: string, limit: number): Promise<Buffer | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const size = await file.size();
    if (size > limit) throw new Error(`${path} has ${size} bytes, more than the ${limit} it may have`);
    const content = Buffer.alloc(size);
    return content.subarray(0, await file.read(content, size, 0));
  } finally {
    await file.close();
  }
}
