/** What the file engine asks of the machine: one seam, so that a test can decide what happens between any two questions. */
import {
  type BigIntStats,
  type Dirent,
  fstat,
  lstat,
  open as nodeOpen,
  read as nodeRead,
  type PathLike,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import type { Finder } from "./find.ts";
import { Watcher, type WatchHandlers } from "./watch.ts";

/** Tells of changes until it is closed. */
export interface Watch {
  /** Resolves when changes from now on are noticed, or never will be. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

export interface System {
  list(directory: string): Promise<Dirent[]>;
  /** Of the path itself, not of what a link leads to. */
  stat(path: string): Promise<BigIntStats>;
  open(path: string, flags: number): Promise<number>;
  statOpen(fd: number): Promise<BigIntStats>;
  /** One call of the system; the number of bytes read. */
  read(fd: number, buffer: Buffer, position: number): Promise<number>;
  /** Work on other threads than these questions. */
  working<T>(work: Promise<T>): Promise<T>;
  /** Runs `action` in `ms` milliseconds; answers how to cancel that. */
  after(ms: number, action: () => void): () => void;
  watch(finder: Finder, handlers: WatchHandlers): Watch;
}

const statBig = promisify(lstat) as (path: PathLike, options: { bigint: true }) => Promise<BigIntStats>;
const statFd = promisify(fstat) as (fd: number, options: { bigint: true }) => Promise<BigIntStats>;
const openPath = promisify(nodeOpen) as (path: string, flags: number) => Promise<number>;
const readFd = promisify(nodeRead);

export const nodeSystem: System = {
  list: (directory) => readdir(directory, { withFileTypes: true }),
  stat: (path) => statBig(path, { bigint: true }),
  open: openPath,
  statOpen: (fd) => statFd(fd, { bigint: true }),
  read: async (fd, buffer, position) => (await readFd(fd, buffer, 0, buffer.length, position)).bytesRead,
  working: (work) => work,
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  watch: (finder, handlers) => new Watcher(finder, handlers),
};
