/** Opening other people's files safely, and reading them without ever using a descriptor that was closed meanwhile. */
import { type BigIntStats, constants, close as nodeClose } from "node:fs";
import { readlink, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { memoryPool } from "../../../agent/api/memory-pool.ts";
import type { System } from "./system.ts";

/** A FIFO without O_NONBLOCK would block a thread of the pool for good; without O_NOFOLLOW a link could ship /etc/shadow. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

export interface FileStat {
  /** `device:inode`, exact also where inodes need 64 bits. */
  readonly inode: string;
  readonly size: number;
  /** Milliseconds since the epoch, with microseconds as fraction. */
  readonly mtime: number;
  /** 0 once the last name is gone. */
  readonly links: number;
  /** undefined for a regular file, else what it is instead. */
  readonly other: string | undefined;
}

/** Why a file is not read: it is something else, or a link that leads where it must not. */
export class RefusedError extends Error {}

function toStat(stats: BigIntStats): FileStat {
  return {
    inode: `${stats.dev}:${stats.ino}`,
    size: Number(stats.size),
    mtime: Number(stats.mtimeNs / 1000n) / 1000,
    links: Number(stats.nlink),
    other: stats.isFile() ? undefined : kindOf(stats),
  };
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

/** What is at the path itself; undefined where nothing is. */
export async function statPath(path: string, system: System): Promise<FileStat | undefined> {
  try {
    return toStat(await system.stat(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** An open regular file. A close waits for the reads under way: a descriptor used after it could be another file's. */
export class OpenFile {
  readonly system: System;
  readonly #fd: number;
  readonly #closed: () => void;
  #uses = 0;
  #closing = false;

  constructor(fd: number, system: System, closed: () => void) {
    this.system = system;
    this.#fd = fd;
    this.#closed = closed;
  }

  /** `length` bytes from `position` in a buffer of their own; fewer at the end of the file. */
  async read(position: number, length: number): Promise<Buffer> {
    const buffer = memoryPool.take(length);
    // One call: a second one could add bytes of what the file was filled with after being emptied in between.
    const filled = await this.#using(() => this.system.read(this.#fd, buffer, position));
    return filled === length ? buffer : buffer.subarray(0, filled);
  }

  stat(): Promise<FileStat> {
    return this.#using(async () => toStat(await this.system.statOpen(this.#fd)));
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#uses === 0) this.#release();
  }

  async #using<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new Error("the file was closed");
    this.#uses++;
    try {
      return await action();
    } finally {
      this.#uses--;
      if (this.#closing && this.#uses === 0) this.#release();
    }
  }

  #release(): void {
    // Nothing can be done about a failed close of a file that was only read.
    nodeClose(this.#fd, () => {});
    this.#closed();
  }
}

export interface OpenOptions {
  readonly system: System;
  /** Directories a symbolic link may lead into; empty: links are refused. */
  readonly allowedRoots: readonly string[];
  readonly onOpen: () => void;
  readonly onClose: () => void;
}

/** Opens a regular file. Throws RefusedError for anything else, and errors of the system as they are. */
export async function openRegular(path: string, options: OpenOptions): Promise<{ file: OpenFile; stat: FileStat }> {
  const { fd, real } = await openInside(path, options);
  options.onOpen();
  const file = new OpenFile(fd, options.system, options.onClose);
  try {
    const stat = await file.stat();
    if (stat.other) throw new RefusedError(`it is ${stat.other}, not a regular file`);
    if (real !== undefined) await checkOpened(fd, options.allowedRoots);
    return { file, stat };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openInside(path: string, options: OpenOptions): Promise<{ fd: number; real?: string }> {
  const { allowedRoots: roots, system } = options;
  try {
    return { fd: await system.open(path, FLAGS) };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENXIO") throw new RefusedError("it is a socket or a device, not a regular file");
    // ELOOP on Linux, EMLINK on FreeBSD: the last part of the path is a link.
    if (code !== "ELOOP" && code !== "EMLINK") throw error;
    if (roots.length === 0) throw new RefusedError("it is a symbolic link (see follow_symlinks)");
    const real = await realpath(path);
    if (!isInside(real, roots)) throw new RefusedError(`it is a symbolic link to ${real}, outside allowed_roots`);
    return { fd: await system.open(real, FLAGS), real };
  }
}

/** Between resolving and opening a directory may have been exchanged for a link: Linux can tell what was really opened. */
async function checkOpened(fd: number, roots: readonly string[]): Promise<void> {
  const opened = await readlink(`/proc/self/fd/${fd}`).catch(() => undefined);
  if (opened !== undefined && !isInside(opened.replace(/ \(deleted\)$/, ""), roots)) {
    throw new RefusedError(`it leads to ${opened}, outside allowed_roots`);
  }
}

/** Roots must be real paths themselves. */
export function isInside(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep));
}
