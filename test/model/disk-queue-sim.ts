import type { Disk, DiskFile, OpenMode } from "../../agent/state/disk.ts";

const PAGE = 4096;

class Inode {
  data = Buffer.alloc(0);
  /** Content as of the last sync. */
  synced = Buffer.alloc(0);
  readonly dirty = new Set<number>();

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length;
    if (end > this.data.length) {
      const grown = Buffer.alloc(end);
      this.data.copy(grown);
      this.data = grown;
    }
    this.data.set(bytes, at);
    for (let page = Math.floor(at / PAGE); page * PAGE < end; page++) this.dirty.add(page);
  }
}

export type Operation =
  | "open"
  | "read"
  | "writev"
  | "datasync"
  | "truncate"
  | "size"
  | "list"
  | "mkdir"
  | "rename"
  | "remove"
  | "syncDirectory";

export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: made up`), { code, syscall: "test" });
}

/** A disk in memory that forgets what was not synced, stops in the middle of a write, and fails when told to. */
export class SimDisk implements Disk {
  names = new Map<string, Inode>();
  /** Names as of the last sync of their directory. */
  durableNames = new Map<string, Inode>();
  /** Called before every operation; what it throws is the disk's answer. */
  before: (operation: Operation, path: string) => void = () => undefined;
  /** Operations that change something, until the machine stops; of a write then only a part is done. */
  stopAfter = Number.POSITIVE_INFINITY;
  stopped = false;
  /** A kill does not interrupt the kernel within a page; a power cut may. */
  wholePages = false;
  random: () => number = Math.random;
  readonly #stops: (() => void)[] = [];

  /** Resolves when it has stopped. */
  whenStopped(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    return new Promise((resolve) => this.#stops.push(resolve));
  }

  stop(): void {
    this.stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** After a kill everything written is there; after a power cut what was synced, and any of the rest. */
  restart(how: "kill" | "power", random: () => number): SimDisk {
    this.stop();
    const next = new SimDisk();
    const names = how === "kill" || random() < 0.5 ? this.names : this.durableNames;
    for (const [path, inode] of names) {
      const copy = new Inode();
      copy.data = Buffer.from(how === "kill" || random() < 0.3 ? inode.data : survivors(inode, random));
      copy.synced = Buffer.from(copy.data);
      next.names.set(path, copy);
      next.durableNames.set(path, copy);
    }
    return next;
  }

  /** Answers whether the machine still runs. */
  async #step(operation: Operation, path: string, changes: boolean): Promise<boolean> {
    if (this.stopped) return new Promise(() => undefined);
    await Promise.resolve();
    this.before(operation, path);
    if (changes && this.stopAfter-- <= 0) {
      this.stop();
      return false;
    }
    return true;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (!(await this.#step("open", path, mode === "create"))) return new Promise(() => undefined);
    let inode = this.names.get(path);
    if (mode === "create") {
      if (inode) throw diskError("EEXIST");
      inode = new Inode();
      this.names.set(path, inode);
    }
    if (!inode) throw diskError("ENOENT");
    return this.#file(path, inode);
  }

  #file(path: string, inode: Inode): DiskFile {
    const never = () => new Promise<never>(() => undefined);
    return {
      read: async (buffer, length, position) => {
        if (!(await this.#step("read", path, false))) return never();
        return inode.data.copy(buffer, 0, position, position + length);
      },
      writev: async (parts, position) => {
        const all = Buffer.concat(parts);
        const whole = await this.#step("writev", path, true);
        inode.write(whole ? all : all.subarray(0, this.#part(all.length)), position);
        if (!whole) return never();
      },
      datasync: async () => {
        if (!(await this.#step("datasync", path, true))) return never();
        inode.synced = Buffer.from(inode.data);
        inode.dirty.clear();
      },
      truncate: async (length) => {
        if (!(await this.#step("truncate", path, true))) return never();
        inode.data = Buffer.from(inode.data.subarray(0, length));
      },
      size: async () => ((await this.#step("size", path, false)) ? inode.data.length : never()),
      close: async () => undefined,
    };
  }

  #part(length: number): number {
    const part = Math.floor(this.random() * length);
    return this.wholePages ? Math.floor(part / PAGE) * PAGE : part;
  }

  async list(directory: string): Promise<string[]> {
    await this.#step("list", directory, false);
    const below = [...this.names.keys()].filter((path) => path.startsWith(`${directory}/`));
    return below
      .map((path) => path.slice(directory.length + 1))
      .filter((name) => !name.includes("/"))
      .sort();
  }
  async mkdir(directory: string): Promise<void> {
    await this.#step("mkdir", directory, false);
  }
  async rename(from: string, to: string): Promise<void> {
    if (!(await this.#step("rename", from, true))) return new Promise(() => undefined);
    const inode = this.names.get(from);
    if (!inode) throw diskError("ENOENT");
    this.names.delete(from);
    this.names.set(to, inode);
  }
  async remove(path: string): Promise<void> {
    if (!(await this.#step("remove", path, true))) return new Promise(() => undefined);
    this.names.delete(path);
  }
  async syncDirectory(directory: string): Promise<void> {
    if (!(await this.#step("syncDirectory", directory, true))) return new Promise(() => undefined);
    const inside = (path: string) => path.slice(0, path.lastIndexOf("/")) === directory;
    for (const path of [...this.durableNames.keys()]) if (inside(path)) this.durableNames.delete(path);
    for (const [path, inode] of this.names) if (inside(path)) this.durableNames.set(path, inode);
  }
  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** What was synced, with some of the pages written since. */
function survivors(inode: Inode, random: () => number): Buffer {
  const length = random() < 0.5 ? inode.data.length : inode.synced.length;
  const content = Buffer.alloc(length);
  inode.synced.copy(content);
  for (const page of inode.dirty) {
    if (page * PAGE >= inode.data.length) continue;
    if (random() < 0.5) inode.data.copy(content, page * PAGE, page * PAGE, Math.min(length, (page + 1) * PAGE));
  }
  return content;
}
