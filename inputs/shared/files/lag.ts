/** How far reading is behind the writers. Kept up to date with every batch and every change that is seen; asked, it looks only at files that may be behind. */
import type { Clock } from "../../../agent/api/clock.ts";
import { foremost } from "../../../agent/api/foremost.ts";
import type { FileLag, InputLag } from "../../../agent/api/input.ts";
import type { Catalog } from "./catalog.ts";
import type { LogFile } from "./log-file.ts";

/** Files read last that are remembered as such. */
const RECENT = 64;
/** With more files behind than these an answer is used again, until looking at them took a hundredth of the time. */
const MANY = 1000;
const REST_FACTOR = 100;
/** Where nothing was read yet, the newest of so many files stand for those read last. */
const MOST_LOOKED_AT = 1000;

/**
 * Since when a file is behind. What was there when it was looked at last gives the time for what comes after it, so a file that grows and
 * is read all the time is as far behind as one look is from the next.
 */
interface Wait {
  /** Monotonic milliseconds: the oldest bytes without a place in the queue have been there since about then. */
  since: number;
  /** What came before `at` ends here. */
  end: number;
  at: number;
}

export class Lag {
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  /** Files that may be behind. */
  readonly #behind = new Map<LogFile, Wait>();
  /** The latest last. */
  readonly #recent = new Set<LogFile>();
  #answer: InputLag | undefined;
  #limit = 0;
  #validUntil = 0;

  constructor(catalog: Catalog, clock: Clock) {
    this.#catalog = catalog;
    this.#clock = clock;
  }

  /** The file grew, or has something to do for another reason. */
  grew(file: LogFile): void {
    this.#look(file, this.#clock.monotonic());
  }

  /** What was read of it has its place. */
  moved(file: LogFile): void {
    this.#recent.delete(file);
    this.#recent.add(file);
    const [oldest] = this.#recent;
    if (this.#recent.size > RECENT && oldest) this.#recent.delete(oldest);
    this.#look(file, this.#clock.monotonic());
  }

  /** It is not followed any more, or is another file now. */
  forget(file: LogFile): void {
    this.#behind.delete(file);
    this.#recent.delete(file);
  }

  ask(limit: number): InputLag {
    const now = this.#clock.monotonic();
    if (this.#answer && this.#limit === limit && now < this.#validUntil) return this.#answer;
    const answer = this.#ask(limit, now);
    const many = this.#behind.size + this.#catalog.newcomers.size > MANY;
    this.#answer = answer;
    this.#limit = limit;
    const later = this.#clock.monotonic();
    this.#validUntil = many ? later + (later - now) * REST_FACTOR : 0;
    return answer;
  }

  #ask(limit: number, now: number): InputLag {
    const late: LogFile[] = [];
    let bytes = 0;
    let ms = 0;
    const take = (file: LogFile) => {
      const wait = this.#look(file, now);
      if (!wait) return;
      bytes += file.lag;
      ms = Math.max(ms, now - wait.since);
      late.push(file);
    };
    // Who they are is not known yet: nothing of them was read.
    for (const file of this.#catalog.newcomers) take(file);
    for (const file of this.#behind.keys()) if (file.memory) take(file);
    const files = foremost(late, limit, (a, b) => b.lag - a.lag);
    for (const file of this.#others(limit)) {
      if (files.length >= limit) break;
      if (!files.includes(file)) files.push(file);
    }
    return { followed: this.#catalog.byInode.size, bytes, ms, files: files.map((file) => this.#lagOf(file, now)) };
  }

  #others(limit: number): LogFile[] {
    const recent = [...this.#recent].reverse();
    if (recent.length >= Math.min(limit, this.#catalog.byInode.size)) return recent;
    const some: LogFile[] = [];
    for (const file of this.#catalog.byInode.values()) {
      if (some.length >= MOST_LOOKED_AT) break;
      some.push(file);
    }
    return [...recent, ...some.sort((a, b) => b.mtime - a.mtime)];
  }

  #lagOf(file: LogFile, now: number): FileLag {
    const wait = this.#behind.get(file);
    const { lag, consumed: offset, path, deleted } = file;
    const size = file.memory?.skipped ? file.size : offset + lag;
    return { path, size, offset, bytes: wait ? lag : 0, ms: wait ? now - wait.since : 0, deleted };
  }

  /** undefined where nothing of it is left to be read now. */
  #look(file: LogFile, now: number): Wait | undefined {
    const wait = this.#behind.get(file);
    if (file.caughtUp) {
      if (wait) this.#behind.delete(file);
      return undefined;
    }
    const end = file.consumed + file.lag;
    if (!wait) {
      const begun = { since: now, end, at: now };
      this.#behind.set(file, begun);
      return begun;
    }
    if (file.consumed >= wait.end) {
      wait.since = wait.at;
      wait.end = end;
      wait.at = now;
    }
    return wait;
  }
}
