/** The bytes of one file, by position: of a regular file by reading it, of a stream as far as it is held. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { CannotCheck, reasonOf } from "./problem.ts";

export interface Text {
  /** For messages. */
  readonly path: string;
  /** The first byte that can be read. */
  readonly lowest: number;
  /** Behind the last byte that can be read. */
  readonly end: number;
  /** What stands there, cut at `lowest` and `end`. `into` is used where it is long enough: then the answer is gone with its next use. */
  read(from: number, to: number, into?: Buffer): Buffer;
}

/** Follows symbolic links: the user named the file. A FIFO does not hold it up, and is refused. */
export function openRegular(path: string): { fd: number; size: number; dev: number; ino: number; mtime: number } {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new CannotCheck(`${path}: ${reasonOf(error)}`, (error as NodeJS.ErrnoException).code === "ENOENT");
  }
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    closeSync(fd);
    throw new CannotCheck(`${path}: ${stat.isDirectory() ? "is a directory" : "is not a regular file"}`);
  }
  return { fd, size: stat.size, dev: stat.dev, ino: stat.ino, mtime: stat.mtimeMs };
}

/** Reads until `buffer` is full or the file ends. */
export function readFully(fd: number, buffer: Buffer, position: number): number {
  let done = 0;
  while (done < buffer.length) {
    const n = readSync(fd, buffer, done, buffer.length - done, position + done);
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** A file descriptor that may be another thread's. */
export class OpenText implements Text {
  readonly path: string;
  readonly fd: number;
  readonly lowest = 0;
  readonly end: number;

  constructor(path: string, fd: number, end: number) {
    this.path = path;
    this.fd = fd;
    this.end = end;
  }

  read(from: number, to: number, into?: Buffer): Buffer {
    return readText(this, from, to, into);
  }
}

/** `end` was the file's size once: what is missing now is a reason to stop. */
function readText(text: { path: string; fd: number; end: number }, from: number, to: number, into?: Buffer): Buffer {
  const start = Math.max(0, from);
  const length = Math.max(0, Math.min(to, text.end) - start);
  const buffer = into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafe(length);
  let done: number;
  try {
    done = readFully(text.fd, buffer, start);
  } catch (error) {
    throw new CannotCheck(`${text.path}: ${reasonOf(error)}`);
  }
  if (done < length) throw new CannotCheck(`${text.path}: became shorter while it was read`, true);
  return buffer;
}

/** Keeps at most so many files open that nobody is reading. */
const KEPT_OPEN = 32;

/** A regular file that is opened where it is needed. Its size is that of the first time. */
export class FileText implements Text {
  readonly path: string;
  readonly lowest = 0;
  end: number;
  /** Milliseconds. */
  readonly mtime: number;
  readonly #identity: string;
  #fd: number | undefined;
  #pins = 0;

  /** Files that are open, the one used last at the end. */
  static readonly #open = new Set<FileText>();

  constructor(path: string) {
    this.path = path;
    const { fd, size, dev, ino, mtime } = openRegular(path);
    this.#fd = fd;
    this.end = size;
    this.mtime = mtime;
    this.#identity = `${dev}:${ino}`;
    this.#used();
  }

  get fd(): number {
    if (this.#fd === undefined) {
      const { fd, dev, ino } = openRegular(this.path);
      this.#fd = fd;
      if (`${dev}:${ino}` !== this.#identity) {
        this.close();
        throw new CannotCheck(`${this.path}: was replaced while it was read`, true);
      }
    }
    this.#used();
    return this.#fd;
  }

  read(from: number, to: number, into?: Buffer): Buffer {
    return readText({ path: this.path, fd: this.fd, end: this.end }, from, to, into);
  }

  /** Takes in the rest of a line that was only half written when the file was opened. */
  takeRest(most: number): void {
    const rest = Buffer.allocUnsafe(Math.min(most, Math.max(0, fstatSync(this.fd).size - this.end)));
    const length = rest.subarray(0, readFully(this.fd, rest, this.end)).indexOf(0x0a) + 1;
    this.end += length;
  }

  /** While pinned the descriptor stays open: another thread reads it. */
  pin(): number {
    this.#pins++;
    return this.fd;
  }

  unpin(): void {
    this.#pins--;
  }

  /** Whoever takes the descriptor closes it. */
  giveAway(): number {
    const { fd } = this;
    this.#fd = undefined;
    this.close();
    return fd;
  }

  close(): void {
    FileText.#open.delete(this);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #used(): void {
    const open = FileText.#open;
    open.delete(this);
    open.add(this);
    if (open.size <= KEPT_OPEN) return;
    for (const file of open) {
      if (file.#pins === 0 && file !== this) {
        file.close();
        if (open.size <= KEPT_OPEN) return;
      }
    }
  }
}
