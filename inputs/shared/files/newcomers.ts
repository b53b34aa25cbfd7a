/** Finds out who the files are that are not known yet. */
import type { InputContext } from "../../../agent/api/context.ts";
import type { Catalog } from "./catalog.ts";
import { groupOf, inOrder } from "./group.ts";
import { AT_ONCE, type Holder, MovedError } from "./holder.ts";
import type { LogFile } from "./log-file.ts";
import type { Matcher } from "./match.ts";
import { isMissing } from "./open.ts";
import type { FileOptions } from "./options.ts";
import type { Schedule } from "./schedule.ts";

export class Newcomers {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #catalog: Catalog;
  readonly #schedule: Schedule;
  readonly #matcher: Matcher;
  readonly #holder: Holder;

  constructor(
    context: InputContext,
    options: FileOptions,
    parts: { catalog: Catalog; schedule: Schedule; matcher: Matcher; holder: Holder },
  ) {
    this.#context = context;
    this.#options = options;
    this.#catalog = parts.catalog;
    this.#schedule = parts.schedule;
    this.#matcher = parts.matcher;
    this.#holder = parts.holder;
  }

  /** One of them may come before what a group is waiting for. */
  get awaited(): boolean {
    return [...this.#catalog.newcomers].some((file) => this.#catalog.awaits(groupOf(file.path, this.#options.groupBy)));
  }

  /** Tries to find out who they are: as long as one that is known now lets others be. `initial`: as for `Matcher`. */
  async identify(initial: boolean): Promise<void> {
    for (let before = -1; this.#catalog.newcomers.size !== before && !this.#matcher.wantsListing; ) {
      before = this.#catalog.newcomers.size;
      await this.#identifyOnce(initial);
      if (![...this.#catalog.newcomers].some((file) => file.size > 0)) break;
    }
    await this.#holder.refill();
  }

  async #prepare(file: LogFile): Promise<void> {
    file.unopenable = undefined;
    if (!this.#catalog.newcomers.has(file) || file.head) return;
    try {
      if (!(await this.#holder.open(file))) await file.refresh(this.#context.clock.monotonic());
      await this.#matcher.prepare(file);
    } catch (error) {
      file.unopenable = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** By its inode, and where `path` is given also by its name. */
  #wasHere(file: LogFile, path?: string): boolean {
    return this.#catalog.lastAt(file.inode).some((memory) => !memory.file && (path ?? memory.path) === memory.path);
  }

  async #identifyOnce(initial: boolean): Promise<void> {
    const ordered = inOrder([...this.#catalog.newcomers].map(withTime)).map(({ file }) => file);
    for (const file of ordered) file.head = undefined;
    // First those that are where they were, then those that were only renamed: a copy must not take the place of its original. What is
    // new is taken in order.
    for (const path of [true, false]) {
      const known = ordered.filter((file) => this.#wasHere(file, path ? file.path : undefined));
      await this.#identifyEach(known, { initial, mayBeNew: false });
    }
    await this.#identifyEach(ordered, { initial, mayBeNew: true });
  }

  async #identifyEach(newcomers: readonly LogFile[], how: { initial: boolean; mayBeNew: boolean }): Promise<void> {
    for (const [i, file] of newcomers.entries()) {
      // One after the other would take a start with ten thousand files many seconds.
      if (i % AT_ONCE === 0) await Promise.all(newcomers.slice(i, i + AT_ONCE).map((each) => this.#prepare(each)));
      if (!this.#catalog.newcomers.has(file)) continue;
      if (this.#matcher.wantsListing) {
        // One listing for all whose beginning was read before it.
        for (const each of newcomers) if (each.lastHead !== undefined) each.relisted = true;
        break;
      }
      try {
        if (file.unopenable) throw file.unopenable;
        if (!(await this.#matcher.identify(file, how))) {
          if (!how.mayBeNew) continue;
          if (this.#matcher.soon(file)) this.#schedule.expect(file, groupOf(file.path, this.#options.groupBy));
          else this.#schedule.remove(file);
          continue;
        }
        // A hundred thousand old ones that are passed over need not be opened once more, each to be finished.
        if (file.done) {
          this.#schedule.remove(file);
          file.close();
          continue;
        }
        this.#schedule.add(file);
        this.#holder.settle(file);
      } catch (error) {
        this.#holder.failed(file.path, error);
        this.#catalog.drop(file);
        // Renamed after it was listed: what is newer must not be taken for what comes next.
        if (error instanceof MovedError || isMissing(error)) this.#matcher.wantsListing = true;
      }
    }
  }
}

/** Before a file is known its first entry's time is not; its name decides in doubt. */
function withTime(file: LogFile): { path: string; mtime: number; first: undefined; file: LogFile } {
  return { path: file.path, mtime: file.mtime, first: undefined, file };
}
