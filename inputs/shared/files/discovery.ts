/** Keeps the catalog true: what is there, under which name, what came, what went. One look at a time. */
import { stat as followedStat, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { InputContext } from "../../../agent/api/context.ts";
import type { Catalog } from "./catalog.ts";
import type { Finder, Listing } from "./find.ts";
import { isCompressed } from "./group.ts";
import { AT_ONCE, type Holder } from "./holder.ts";
import { LogFile } from "./log-file.ts";
import type { Matcher } from "./match.ts";
import { Newcomers } from "./newcomers.ts";
import { type FileStat, statPath } from "./open.ts";
import type { FileOptions } from "./options.ts";
import type { Memory } from "./position.ts";
import type { Schedule } from "./schedule.ts";
import type { System } from "./system.ts";

/** Known files looked at again in one whole look, beside those with something unread: a round through all of them. */
const ROUND = 512;
/** Looks that must miss a remembered file before it is gone: a rename can hide from one. */
const LOOKS = 2;
/** Under a writer that never rests no two listings may agree. */
const MOST_LISTINGS = 6;

interface Arrival {
  readonly path: string;
  readonly stat: FileStat;
}

export class Discovery {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #catalog: Catalog;
  readonly #schedule: Schedule;
  readonly #finder: Finder;
  readonly #matcher: Matcher;
  readonly #system: System;
  readonly holder: Holder;
  #round: Iterator<LogFile> | undefined;
  readonly #newcomers: Newcomers;
  /** The first look of the first start is not over. */
  #first: boolean;

  constructor(
    context: InputContext,
    options: FileOptions,
    parts: { catalog: Catalog; schedule: Schedule; finder: Finder; matcher: Matcher; holder: Holder; system: System },
  ) {
    this.#context = context;
    this.#options = options;
    this.#catalog = parts.catalog;
    this.#schedule = parts.schedule;
    this.#finder = parts.finder;
    this.#matcher = parts.matcher;
    this.#system = parts.system;
    this.holder = parts.holder;
    this.#newcomers = new Newcomers(context, options, parts);
    this.#first = parts.catalog.firstStart;
  }

  /** Looks at everything. True when another look should follow soon. */
  async lookAtAll(): Promise<boolean> {
    const listing = await this.#finder.list();
    for (const [directory, code] of listing.failed) this.holder.unreadable(directory, code);
    for (const directory of listing.listed) this.holder.fine(directory);
    this.holder.forgetRefused(new Set(listing.paths), listing.listed);
    await this.#settle(listing, this.#dueInRound(), undefined);
    this.#first = false;
    if (this.#missing(listing)) await this.#newcomers.identify(this.#first);
    this.#catalog.forgetOld();
    return [...this.#catalog.missing].some((memory) => memory.gone === undefined && memory.missed < LOOKS);
  }

  /** Looks at what the watcher named. True when a look at everything should follow soon. */
  async lookAt(paths: ReadonlySet<string>): Promise<boolean> {
    const directories = new Set<string>();
    for (const path of paths) {
      const known = this.#catalog.byPath.get(path);
      if (!known && !this.#finder.matches(path)) continue;
      const stat = known && (await this.#stat(path));
      if (!stat || stat.inode !== known?.inode) directories.add(dirname(path));
      else this.#update(known, stat);
    }
    for (const directory of directories) await this.#settle(await this.#finder.list(directory), paths, directory);
    await this.#newcomers.identify(this.#first);
    if (this.#matcher.wantsListing) await this.#settle(await this.#finder.list(), paths, undefined);
    return this.#newcomers.awaited;
  }

  /** Sees how long the open and unfinished files are now. */
  async refreshAll(): Promise<void> {
    for (const file of this.#catalog.byInode.values()) {
      if (!file.finished && file.isOpen) await file.refresh(this.#now()).catch(() => false);
    }
  }

  #now(): number {
    return this.#context.clock.monotonic();
  }

  /** The next files of the round, and all with something to do: their paths. */
  #dueInRound(): Set<string> {
    const due = new Set<string>();
    const { byPath } = this.#catalog;
    if (byPath.size <= ROUND * 2) return new Set(byPath.keys());
    for (const [path, file] of byPath) if (!file.finished && due.size < ROUND) due.add(path);
    this.#round ??= byPath.values();
    for (let i = 0; i < ROUND; i++) {
      const next = this.#round.next();
      if (next.done) {
        this.#round = undefined;
        break;
      }
      due.add(next.value.path);
    }
    return due;
  }

  /**
   * Takes in listings until two agree: one made while a rotation goes on may lack a file that was there all the time, and then a newer
   * file would be read before it.
   */
  async #settle(first: Listing, due: ReadonlySet<string>, directory: string | undefined): Promise<void> {
    let listing = first;
    for (let i = 0; ; i++) {
      const changed = await this.#take(listing, due);
      if (!changed) await this.#newcomers.identify(this.#first);
      if (!(changed || this.#matcher.wantsListing) || i === MOST_LISTINGS) break;
      this.#matcher.wantsListing = false;
      listing = await this.#finder.list(directory);
      due = this.#catalog.byPath.size <= ROUND * 2 ? new Set(listing.paths) : due;
    }
    this.#matcher.wantsListing = false;
    await this.#newcomers.identify(this.#first);
  }

  /** Takes in a listing: files under known names are only asked about if `due`. True when names changed. */
  async #take(listing: Listing, due: ReadonlySet<string>): Promise<boolean> {
    const ask = listing.paths.filter((path) => !this.#catalog.byPath.has(path) || due.has(path));
    const arrivals: Arrival[] = [];
    for (let i = 0; i < ask.length; i += AT_ONCE) {
      const some = ask.slice(i, i + AT_ONCE);
      const stats = await Promise.all(some.map((path) => this.#stat(path)));
      for (const [j, stat] of stats.entries()) this.#met(some[j]!, stat, arrivals);
    }
    const present = new Set(listing.paths);
    const nameless: LogFile[] = [];
    for (const { path } of arrivals) this.#loseName(path, nameless);
    for (const [path] of this.#catalog.byPath) {
      if (listing.listed.has(dirname(path)) && !present.has(path)) this.#loseName(path, nameless);
    }
    const known = new Set(arrivals.map(({ stat }) => stat.inode).filter((inode) => this.#catalog.byInode.has(inode)));
    for (const arrival of arrivals) await this.#arrive(arrival);
    for (const file of nameless) await this.#afterLoss(file);
    return nameless.length > 0 || arrivals.some(({ stat }) => !known.has(stat.inode));
  }

  async #stat(path: string): Promise<FileStat | undefined> {
    try {
      const stat = await statPath(path, this.#system);
      if (!stat?.other || !this.#options.followSymlinks || stat.other !== "a symbolic link") return stat;
      const target = await followedStat(await realpath(path), { bigint: true });
      return {
        inode: `${target.dev}:${target.ino}`,
        size: Number(target.size),
        mtime: Number(target.mtimeNs / 1000n) / 1000,
        links: Number(target.nlink),
        other: target.isFile() ? undefined : "a symbolic link to something that is no regular file",
      };
    } catch {
      return undefined;
    }
  }

  #met(path: string, stat: FileStat | undefined, arrivals: Arrival[]): void {
    if (!stat) {
      // A name that is no UTF-8 is listed with U+FFFD in it, and no file has that name.
      if (path.includes("\ufffd")) this.holder.refuse(path, "its name is not valid UTF-8: rename it");
      return;
    }
    if (stat.other) {
      // A directory that matches is searched if the pattern goes deeper; it is no file that was refused.
      if (stat.other !== "a directory" || !this.#finder.mayHold(path)) {
        this.holder.refuse(path, `it is ${stat.other}, not a regular file`);
      }
      return;
    }
    const known = this.#catalog.byPath.get(path);
    if (known?.inode === stat.inode) this.#update(known, stat);
    else arrivals.push({ path, stat });
  }

  #update(file: LogFile, stat: FileStat): void {
    if (!file.update(stat, this.#now())) return;
    if (file.memory) this.#schedule.add(file);
  }

  #loseName(path: string, nameless: LogFile[]): void {
    const file = this.#catalog.byPath.get(path);
    if (!file) return;
    this.#catalog.byPath.delete(path);
    file.strayed = true;
    nameless.push(file);
  }

  async #arrive({ path, stat }: Arrival): Promise<void> {
    const known = this.#catalog.byInode.get(stat.inode);
    if (!known) return this.#newcomer(path, stat);
    if (!known.strayed && known.path !== path) {
      // Another name of a file that still has its own: the same content, once.
      return;
    }
    const changed = stat.size !== known.size || stat.mtime !== known.mtime;
    if (!known.isOpen && changed && !(await this.#isStill(known, path, stat))) {
      // While nobody held it open its inode was given to another file.
      this.#catalog.drop(known);
      return this.#newcomer(path, stat);
    }
    this.#moved(known, path);
    this.#update(known, stat);
  }

  #moved(file: LogFile, path: string): void {
    const was = file.path;
    file.path = path;
    file.strayed = false;
    this.#catalog.byPath.set(path, file);
    if (was === path) return;
    if (file.memory) {
      file.memory.path = path;
      this.#catalog.changed(file.memory);
      this.#schedule.group(file.memory.group).changed();
    }
    this.#say(path, "renamed", `was ${was}`);
  }

  async #isStill(file: LogFile, path: string, stat: FileStat): Promise<boolean> {
    const { memory } = file;
    if (!memory || file.compressed) return false;
    try {
      const was = file.path;
      file.path = path;
      await this.holder.open(file);
      const still = stat.size >= memory.offset && (await file.proves(memory));
      file.path = was;
      return still;
    } catch {
      return false;
    }
  }

  #newcomer(path: string, stat: FileStat): void {
    const { clock } = this.#context;
    const age = Math.max(0, clock.now() - stat.mtime);
    const changedAt = clock.monotonic() - age;
    const file = new LogFile(path, stat, isCompressed(path), changedAt, this.#options.maxLineBytes);
    this.#catalog.byPath.set(path, file);
    this.#catalog.byInode.set(stat.inode, file);
    const done = this.#finishedBefore(file);
    if (done) {
      this.#catalog.adopt(file, done);
      file.touched = false;
      return;
    }
    this.#catalog.newcomers.add(file);
  }

  /** Finished in an earlier run and unchanged since: need not even be opened, so that many old files cost little. */
  #finishedBefore(file: LogFile): Memory | undefined {
    return this.#catalog.lastAt(file.inode).find((memory) => {
      if (memory.file || !memory.finished || memory.path !== file.path) return false;
      return (
        memory.size === file.size && memory.mtime === file.mtime && (file.compressed || memory.offset >= file.size)
      );
    });
  }

  /** Its name is gone: deleted, or moved where no pattern matches. Open files are read to their end either way. */
  async #afterLoss(file: LogFile): Promise<void> {
    if (!file.strayed) return;
    if (!file.isOpen) {
      this.#catalog.drop(file);
      return;
    }
    await file.refresh(this.#now()).catch(() => false);
    if (file.deleted) {
      this.#catalog.deleted.add(file);
      // How much there was, should this process not live to read it.
      if (file.memory) this.#catalog.changed(file.memory);
      this.#say(file.path, "deleted", undefined, file.unread);
    }
    if (file.memory) this.#schedule.add(file);
    else if (file.size === 0 && file.deleted) this.#catalog.drop(file);
  }

  /** Remembered files that whole looks did not find are gone; what of them was not read is lost. True when there are such. */
  #missing(listing: Listing): boolean {
    // One of the newcomers may be the copy or the compressed rest of what is missing.
    if (!this.#context.once && [...this.#catalog.newcomers].some((file) => this.#matcher.soon(file))) return false;
    let some = false;
    for (const memory of this.#catalog.missing) {
      if (memory.gone !== undefined || listing.failed.has(dirname(memory.path))) continue;
      memory.missed++;
      if (memory.missed < LOOKS && !this.#context.once) continue;
      this.gone(memory);
      some = true;
    }
    return some;
  }

  gone(memory: Memory): void {
    const { alias, clock, emit } = this.#context;
    memory.gone = clock.now();
    this.#catalog.changed(memory);
    const compressed = isCompressed(memory.path);
    const bytes = compressed ? memory.size : memory.size - memory.offset;
    if (memory.skipped || bytes <= 0 || (compressed && memory.finished)) return;
    memory.lost = bytes;
    emit({
      is: "lost",
      where: "input",
      name: alias,
      records: 0,
      bytes,
      reason: compressed
        ? "the compressed file vanished before it was read to its end"
        : "the file vanished or was emptied before it was read to its end",
      path: memory.path,
      from: memory.offset,
      ...(compressed ? {} : { to: memory.size }),
    });
  }

  #say(path: string, change: "renamed" | "deleted", reason?: string, bytes?: number): void {
    const { alias, emit } = this.#context;
    emit({
      is: "file",
      input: alias,
      path,
      change,
      ...(reason === undefined ? {} : { reason }),
      ...(bytes === undefined ? {} : { bytes }),
    });
  }
}
