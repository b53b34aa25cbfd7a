/** Which files are held open. Every file with unread bytes should be: then nobody can delete them away. */
import { dirname } from "node:path";
import type { InputContext } from "../../../agent/api/context.ts";
import type { LogFile } from "./log-file.ts";
import { codeOf, isMissing, type OpenOptions, openRegular, RefusedError } from "./open.ts";
import type { FileOptions } from "./options.ts";
import type { System } from "./system.ts";

/** How many files are opened or asked about at the same time: the thread pool has four threads. */
export const AT_ONCE = 32;

export class Holder {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #openOptions: OpenOptions;
  #count = 0;
  /** Files that should be open and are not, oldest first. */
  readonly #waiting = new Set<LogFile>();
  #saidFull = false;
  readonly #refused = new Map<string, string>();
  readonly #unreadable = new Map<string, { readonly code: string; readonly since: number }>();

  constructor(context: InputContext, options: FileOptions, system: System) {
    this.#context = context;
    this.#options = options;
    this.#openOptions = {
      system,
      allowedRoots: options.followSymlinks ? options.allowedRoots : [],
      onOpen: () => {
        this.#count++;
      },
      onClose: () => {
        this.#count--;
      },
    };
  }

  /** More are open than should be. */
  get #over(): boolean {
    return this.#count > this.#options.maxOpenFiles;
  }

  /** Throws where it cannot be opened, or is not the file that it was. True when it was opened now; a newcomer's size is up to date then. */
  async open(file: LogFile): Promise<boolean> {
    if (file.isOpen) return false;
    const opened = await openRegular(file.path, this.#openOptions);
    if (file.isOpen || opened.stat.inode !== file.inode) {
      opened.file.close();
      if (file.isOpen) return false;
      throw new MovedError("another file has its name now");
    }
    file.opened(opened.file);
    // A known file was closed until now, and its inode may be another file's: who it is must be proved before it is updated.
    if (!file.memory) file.update(opened.stat, this.#context.clock.monotonic());
    this.#waiting.delete(file);
    this.fine(file.path);
    return true;
  }

  /** Keeps an open file open if it is worth it and there is room. */
  settle(file: LogFile): void {
    if (!file.isOpen || (file.finished && file.unread === 0 && !file.readable)) return;
    if (!this.#over || file.deleted || file.strayed) return;
    file.close();
    this.#waiting.add(file);
    if (this.#saidFull) return;
    this.#saidFull = true;
    this.#context.emit({
      is: "notice",
      level: "warn",
      component: this.#context.alias,
      message: `more than max_open_files (${this.#options.maxOpenFiles}) files have unread bytes: the newest are opened later, and lost if they are deleted before`,
    });
  }

  /** Closes a file that was read to its end, where more are open than should be: its next entry opens it again. */
  rest(file: LogFile): void {
    if (this.#over && !file.deleted && !file.strayed && !file.readable && file.unread === 0) file.close();
  }

  /** Opens files that waited, oldest first; many at the same time, once there is room for many. */
  async refill(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const room = this.#options.maxOpenFiles - this.#count;
    if (room < Math.min(AT_ONCE, this.#options.maxOpenFiles >> 1, this.#waiting.size)) return;
    const opening: Promise<unknown>[] = [];
    for (const file of this.#waiting) {
      if (opening.length >= Math.min(room, AT_ONCE)) break;
      this.#waiting.delete(file);
      if (!file.memory || (file.finished && file.unread === 0)) continue;
      opening.push(this.open(file).catch(() => false));
    }
    if (this.#waiting.size === 0) this.#saidFull = false;
    await Promise.all(opening);
  }

  /** Says once what is wrong with a path, in words for a person. */
  failed(path: string, error: unknown): void {
    if (isMissing(error) || error instanceof MovedError) return;
    if (error instanceof RefusedError) this.refuse(path, error.message);
    else this.unreadable(path, codeOf(error) || String(error));
  }

  refuse(path: string, reason: string): void {
    if (this.#refused.get(path) === reason) return;
    this.#refused.set(path, reason);
    this.#context.emit({ is: "file", input: this.#context.alias, path, change: "refused", reason });
  }

  unreadable(path: string, code: string): void {
    if (this.#unreadable.has(path)) return;
    this.#unreadable.set(path, { code, since: this.#context.clock.now() });
    const reason = `${explain(code)}; tried again every few seconds`;
    this.#context.emit({ is: "file", input: this.#context.alias, path, change: "unreadable", reason });
  }

  /** Files and directories that cannot be read, in words: the first of them, and how many more. */
  get trouble(): { since: number; reason: string } | undefined {
    for (const [path, { code, since }] of this.#unreadable) {
      const others = this.#unreadable.size - 1;
      const more = others === 0 ? "" : `; and ${others} more ${others === 1 ? "path" : "paths"}`;
      return { since, reason: `cannot read ${path}: ${explain(code)}${more}` };
    }
    return undefined;
  }

  fine(path: string): void {
    this.#refused.delete(path);
    if (!this.#unreadable.delete(path)) return;
    this.#context.emit({ is: "file", input: this.#context.alias, path, change: "readable" });
  }

  /** What is not there any more may be refused anew when it comes back. */
  forgetRefused(present: ReadonlySet<string>, listed: ReadonlySet<string>): void {
    for (const paths of [this.#refused, this.#unreadable]) {
      for (const path of paths.keys()) if (!present.has(path) && listed.has(dirname(path))) paths.delete(path);
    }
  }
}

/** Between finding and opening, the name went to another file. */
export class MovedError extends Error {}

function explain(code: string): string {
  if (code === "EACCES" || code === "EPERM") return `the agent's user may not read it (${code})`;
  if (code === "EMFILE" || code === "ENFILE")
    return `too many open files (${code}): raise the limit or lower max_open_files`;
  return `it cannot be read (${code})`;
}
