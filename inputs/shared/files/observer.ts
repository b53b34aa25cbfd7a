/** Decides when to look: hints of a watcher, a timer as a safety net, requests. One look at a time. */
import type { InputContext } from "../../../agent/api/context.ts";
import type { Finder } from "./find.ts";
import type { FileOptions } from "./options.ts";
import type { System, Watch } from "./system.ts";
import { needsPolling } from "./watch.ts";

/** Hints are gathered so long. */
const GATHER_MS = 5;
/** A second look, where the first may have met a rename half way. */
const SOON_MS = 100;
/** After a look the next rests for so many times as long as it took: a directory of 100,000 files must not eat the CPU. */
const REST_FACTOR = 4;
const MOST_REST_MS = 5_000;

export interface Looks {
  /** True when another look at everything should follow soon. */
  everything(): Promise<boolean>;
  some(paths: ReadonlySet<string>): Promise<boolean>;
  /** Something is waiting for time to pass. */
  waiting(): boolean;
}

export class Observer {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #finder: Finder;
  readonly #system: System;
  readonly #looks: Looks;
  #watcher: Watch | undefined;
  #polling = false;
  #hints = new Set<string>();
  #all = false;
  /** The look under way, and all that were asked for before it. */
  #looking: Promise<void> = Promise.resolve();
  #hintTimer: (() => void) | undefined;
  #rescanTimer: (() => void) | undefined;
  #sleepTimer: (() => void) | undefined;
  #restUntil = 0;
  /** The timer waits for the end of a rest, which named paths need not. */
  #waitsForRest = false;
  #resume: (() => void) | undefined;
  #awake = false;
  #closed = false;

  constructor(context: InputContext, options: FileOptions, parts: { finder: Finder; system: System }, looks: Looks) {
    this.#context = context;
    this.#options = options;
    this.#finder = parts.finder;
    this.#system = parts.system;
    this.#looks = looks;
  }

  async start(): Promise<void> {
    if (!this.#context.once) await this.#watch();
    await this.lookNow();
    if (!this.#context.once) this.#scheduleRescan();
  }

  /** Lets `sleep` return. */
  wake(): void {
    this.#awake = true;
    this.#resume?.();
  }

  /** Returns at `until` (monotonic milliseconds), or when something was seen since it returned last. */
  async sleep(until: number | undefined): Promise<void> {
    if (!this.#awake && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
        if (until === undefined) return;
        const delay = Math.max(1, Math.ceil(until - this.#context.clock.monotonic()));
        this.#sleepTimer = this.#system.after(delay, resolve);
      });
    }
    this.#sleepTimer?.();
    this.#resume = undefined;
    this.#awake = false;
  }

  /** Looks at everything, after what is under way. */
  lookNow(): Promise<void> {
    return this.#look(() => this.#everything());
  }

  lookSoon(): void {
    this.#all = true;
    this.#gather(SOON_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hintTimer?.();
    this.#rescanTimer?.();
    this.#sleepTimer?.();
    await this.#watcher?.close();
    await this.#looking;
  }

  async #watch(): Promise<void> {
    const { watch } = this.#options;
    const silent = watch === "auto" && this.#finder.bases.some(({ base }) => needsPolling(base));
    this.#polling = watch === "poll" || silent;
    if (watch === "poll") return;
    this.#watcher = this.#system.watch(this.#finder, {
      changed: (path) => {
        this.#hints.add(path);
        this.#gather(GATHER_MS);
      },
      anything: () => {
        this.#all = true;
        this.#gather(GATHER_MS);
      },
      failed: (error) => this.#failed(error),
    });
    await this.#watcher.ready();
  }

  #failed(error: Error): void {
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    this.#scheduleRescan();
    this.#context.emit({
      is: "notice",
      level: "warn",
      component: this.#context.alias,
      message: `cannot be told of all changes (${error.message}); looks every ${this.#options.pollInterval} ms instead`,
    });
  }

  #gather(delay: number): void {
    if (this.#closed) return;
    if (this.#hintTimer) {
      if (!this.#waitsForRest || this.#hints.size === 0) return;
      this.#hintTimer?.();
    }
    // Named paths are cheap to look at; only whole looks rest.
    const rest = this.#all && this.#hints.size === 0 ? this.#restUntil - this.#context.clock.monotonic() : 0;
    this.#hintTimer = this.#system.after(Math.max(delay, rest), () => {
      this.#hintTimer = undefined;
      const whole = this.#all && this.#context.clock.monotonic() >= this.#restUntil;
      void this.#look(() => (whole ? this.#everything() : this.#some())).finally(() => {
        if (this.#all) this.#gather(SOON_MS);
      });
    });
    this.#waitsForRest = rest > delay;
  }

  #scheduleRescan(): void {
    this.#rescanTimer?.();
    if (this.#closed) return;
    const usual = this.#polling ? this.#options.pollInterval : this.#options.rescanInterval;
    // Who a newcomer is may depend on its being quiet for a while.
    const delay = this.#looks.waiting() ? Math.min(usual, Math.max(20, this.#options.rotateWait / 2)) : usual;
    this.#rescanTimer = this.#system.after(delay, () => {
      void this.lookNow().finally(() => this.#scheduleRescan());
    });
  }

  #look(action: () => Promise<void>): Promise<void> {
    const started = this.#looking.then(async () => {
      if (this.#closed) return;
      const { clock } = this.#context;
      const before = clock.monotonic();
      try {
        await action();
      } catch (error) {
        this.#context.emit({
          is: "notice",
          level: "error",
          component: this.#context.alias,
          message: `looking for files failed: ${error instanceof Error ? error.message : String(error)}; tried again`,
        });
      }
      const now = clock.monotonic();
      this.#restUntil = now + Math.min(MOST_REST_MS, (now - before) * REST_FACTOR);
      this.wake();
    });
    this.#looking = started;
    return started;
  }

  async #everything(): Promise<void> {
    this.#all = false;
    this.#hints = new Set();
    if (await this.#looks.everything()) this.lookSoon();
  }

  async #some(): Promise<void> {
    const hints = this.#hints;
    this.#hints = new Set();
    if (await this.#looks.some(hints)) this.lookSoon();
    if (this.#looks.waiting()) this.#scheduleRescan();
  }
}
