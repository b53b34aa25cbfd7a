/**
 * For tests: a machine on which one seed decides everything. Files are real; between any two questions of the engine other things may
 * happen, answers come in any order, time passes when told, the watcher tells late or never, a listing misses what is renamed while it is made.
 */
import { fstatSync, lstatSync, openSync, readdirSync, readSync, utimesSync } from "node:fs";
import type { Clock } from "../../../agent/api/clock.ts";
import type { System } from "./system.ts";
import type { WatchHandlers } from "./watch.ts";

interface Timer {
  readonly at: number;
  readonly action: () => void;
}

/** Times of files come in steps, as a kernel gives them. */
const TICK_MS = 4;
const START = 1_770_000_000_000;

export class Simulation implements System {
  readonly #random: () => number;
  /** What happens between two questions. */
  meanwhile: () => void = () => {};
  /** Every question, for a failure's story. */
  onQuestion: (question: string) => void = () => {};
  #time = 0;
  readonly #timers = new Set<Timer>();
  /** Answers on their way. */
  readonly #answers: (() => void)[] = [];
  readonly #names = new Map<number, string>();
  #working = 0;
  #handlers: WatchHandlers | undefined;
  readonly #hints: string[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly clock: Clock = { now: () => START + this.#time, monotonic: () => this.#time };

  list(directory: string): ReturnType<System["list"]> {
    return this.#ask(`list ${directory}`, () => {
      const before = readdirSync(directory, { withFileTypes: true });
      this.meanwhile();
      const after = readdirSync(directory, { withFileTypes: true });
      const still = new Set(after.map(({ name }) => name));
      const was = new Set(before.map(({ name }) => name));
      // POSIX leaves open whether a name is listed that came or went meanwhile.
      return [
        ...before.filter(({ name }) => still.has(name) || this.#random() < 0.5),
        ...after.filter(({ name }) => !was.has(name) && this.#random() < 0.5),
      ];
    });
  }

  stat(path: string): ReturnType<System["stat"]> {
    return this.#ask(`stat ${path}`, () => lstatSync(path, { bigint: true }));
  }

  open(path: string, flags: number): Promise<number> {
    return this.#ask(`open ${path}`, () => {
      const fd = openSync(path, flags);
      this.#names.set(fd, path);
      return fd;
    });
  }

  statOpen(fd: number): ReturnType<System["statOpen"]> {
    return this.#ask(`fstat ${this.#names.get(fd)}`, () => fstatSync(fd, { bigint: true }));
  }

  read(fd: number, buffer: Buffer, position: number): Promise<number> {
    return this.#ask(`read ${this.#names.get(fd)} ${position}+${buffer.length}`, () => {
      // A kernel reads page by page; what the file was when it began does not bind it.
      const half = this.#random() < 0.2 ? Math.floor(this.#random() * buffer.length) : buffer.length;
      const first = readSync(fd, buffer, 0, half, position);
      if (first < half || half === buffer.length) return first;
      this.meanwhile();
      return half + readSync(fd, buffer, half, buffer.length - half, position + half);
    });
  }

  async working<T>(work: Promise<T>): Promise<T> {
    this.#working++;
    try {
      return await work;
    } finally {
      this.#working--;
    }
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.#time + ms, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  watch(_finder: unknown, handlers: WatchHandlers): ReturnType<System["watch"]> {
    this.#handlers = handlers;
    const close = () => {
      if (this.#handlers === handlers) this.#handlers = undefined;
      return Promise.resolve();
    };
    return { ready: () => Promise.resolve(), close };
  }

  /** Something happened to a file: the watcher may tell, now or later. */
  touched(path: string, written: boolean): void {
    const seconds = (START + Math.floor(this.#time / TICK_MS) * TICK_MS) / 1000;
    if (written) utimesSync(path, seconds, seconds);
    if (this.#handlers && this.#random() < 0.95) this.#hints.push(path);
  }

  /** Lets `ms` milliseconds pass. */
  pass(ms: number): void {
    const end = this.#time + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#time = Math.max(this.#time, due.at);
      due.action();
    }
    this.#time = end;
  }

  /** Gives one answer or hint; where nobody asks, time passes to the next timer. False when nothing will ever happen. */
  async turn(): Promise<boolean> {
    await this.#rest();
    const next = this.#random();
    if (this.#hints.length > 0 && next < 0.3) {
      this.#handlers?.changed(this.#hints.shift()!);
      return true;
    }
    if (this.#answers.length > 0) {
      this.#answers.splice(Math.floor(this.#random() * this.#answers.length), 1)[0]!();
      await this.#rest();
      return true;
    }
    if (this.#hints.length > 0) return true;
    if (this.#timers.size === 0) return false;
    this.pass(Math.max(0, Math.min(...[...this.#timers].map(({ at }) => at)) - this.#time));
    return true;
  }

  /** Runs until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (let i = 0; !settled; i++) {
      const more = await this.turn();
      await this.#rest();
      if (!settled && (!more || i > 200_000)) throw new Error("it never ends");
    }
    return promise;
  }

  #ask<T>(question: string, answer: () => T): Promise<T> {
    this.meanwhile();
    // Asked in this order, answered at any time; what is true is decided when the thread gets to it.
    return new Promise((resolve, reject) => {
      this.#answers.push(() => {
        this.meanwhile();
        try {
          const value = answer();
          this.onQuestion(question);
          this.meanwhile();
          resolve(value);
        } catch (error) {
          this.onQuestion(`${question}: ${String(error)}`);
          reject(error);
        }
      });
    });
  }

  /** Nobody runs but those who wait for an answer, a timer or a hint. */
  async #rest(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#working > 0);
  }
}
