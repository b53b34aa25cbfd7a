/** For tests of the file engine: runs it over real files, as the pipeline would, through any number of restarts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Position, RecordBatch } from "../../../agent/api/batch.ts";
import { type Clock, systemClock } from "../../../agent/api/clock.ts";
import type { AgentEvent } from "../../../agent/api/events.ts";
import { FileInput } from "./file-input.ts";
import type { FileOptions } from "./options.ts";
import { nodeSystem, type System } from "./system.ts";

export interface Got {
  readonly id: string;
  readonly text: string;
  readonly path: string;
  readonly group: string;
}

type FileEvent = Extract<AgentEvent, { is: "file" }>;

/** What a test puts in the place of the usual. */
interface Parts {
  readonly clock?: Clock;
  readonly system?: System;
  /** The directory to make the test's own directory in. */
  readonly parent?: string;
}

export class Bench {
  readonly dir: string;
  readonly options: FileOptions;
  readonly clock: Clock;
  readonly #system: System;
  /** What the queue would hold: positions of consumed batches only. */
  readonly positions = new Map<string, string>();
  readonly got: Got[] = [];
  readonly events: AgentEvent[] = [];
  onEvent: (event: AgentEvent) => void = () => {};
  input: FileInput | undefined;
  /** A batch waits for `resume`. */
  holding = false;
  #reader: Promise<void> | undefined;
  #paused: Promise<void> | undefined;
  #continue: (() => void) | undefined;
  #waiters = new Set<() => void>();

  constructor(options: Partial<FileOptions> & { paths?: readonly string[] } = {}, parts: Parts = {}) {
    this.dir = mkdtempSync(join(parts.parent ?? tmpdir(), "files-"));
    this.clock = parts.clock ?? systemClock;
    this.#system = parts.system ?? nodeSystem;
    this.options = {
      exclude: [],
      parser: "json",
      readFrom: "beginning",
      maxLineBytes: 1024 * 1024,
      rotateWait: 60,
      groupBy: "pattern",
      maxOpenFiles: 1024,
      followSymlinks: false,
      allowedRoots: [],
      watch: "notify",
      pollInterval: 30,
      rescanInterval: 400,
      chunkBytes: 65_536,
      ...options,
      paths: (options.paths ?? ["*.log*"]).map((path) => join(this.dir, path)),
    };
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  make(once = false): FileInput {
    return new FileInput(
      this.options,
      {
        alias: "in",
        tag: "t",
        node: "node",
        version: "0",
        dataDirId: "d",
        clock: this.clock,
        positions: new Map(this.positions),
        once,
        emit: (event) => {
          this.events.push(event);
          this.onEvent(event);
          this.#tell();
        },
      },
      this.#system,
    );
  }

  start(once = false): this {
    const input = this.make(once);
    this.input = input;
    this.#reader = this.#consume(input);
    return this;
  }

  async #consume(input: FileInput): Promise<void> {
    for await (const batch of input.read()) {
      if (this.#paused) {
        this.holding = true;
        this.#tell();
        await this.#paused;
        this.holding = false;
      }
      if (this.input !== input) return;
      this.take(batch);
    }
  }

  take(batch: RecordBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const text = batch.bytes(i).toString();
      this.got.push({ id: batch.id(i), text, path: batch.source.path ?? "", group: batch.source.group });
    }
    this.#store(batch.positions);
    this.#tell();
  }

  /** What a full queue does while a batch waits for room. */
  meanwhile(): void {
    if (this.holding) this.#store(this.input!.meanwhile(64));
  }

  #store(positions: readonly Position[]): void {
    for (const { key, value } of positions) {
      if (value === null) this.positions.delete(key);
      else this.positions.set(key, value);
    }
  }

  #tell(): void {
    for (const waiter of this.#waiters) waiter();
  }

  /** From now on batches wait, as with a full queue. */
  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#continue = resolve;
    });
  }
  resume(): void {
    this.#paused = undefined;
    this.#continue?.();
  }

  /** Stops as SIGTERM would. */
  async stop(): Promise<void> {
    this.input?.stop();
    await this.#reader;
    this.input = undefined;
  }

  /** Stops as a kill would: what was not consumed is forgotten. */
  async kill(): Promise<void> {
    const { input } = this;
    this.input = undefined;
    this.resume();
    await input?.close();
    await this.#reader;
  }

  async once(): Promise<void> {
    this.start(true);
    await this.#reader;
    this.input = undefined;
  }

  /** Resolves when the condition holds; checked at every batch and event. */
  until(condition: () => boolean, what = "the condition"): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        const seen = this.events.map((event) => JSON.stringify(event)).join("\n");
        reject(new Error(`waited for ${what}; got ${JSON.stringify(this.texts.slice(-30))}\n${seen}`));
      }, 5_000);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    });
  }

  untilCount(count: number): Promise<void> {
    return this.until(() => this.got.length >= count, `${count} records`);
  }
  untilChange(change: FileEvent["change"], name?: string): Promise<void> {
    return this.until(() => this.changes(change, name).length > 0, `${change} ${name ?? ""}`);
  }

  get texts(): string[] {
    return this.got.map(({ text }) => text);
  }
  changes(change: FileEvent["change"], name?: string): FileEvent[] {
    return this.events.filter(
      (event): event is FileEvent =>
        event.is === "file" && event.change === change && (name === undefined || event.path === this.path(name)),
    );
  }
  get lost(): Extract<AgentEvent, { is: "lost" }>[] {
    return this.events.filter((event) => event.is === "lost");
  }

  async done(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Lines `from` to `to` (exclusive) of the log called `name`. */
export function lines(from: number, to: number, name = "a"): string {
  let text = "";
  for (let i = from; i < to; i++) text += `${line(i, name)}\n`;
  return text;
}

export function line(i: number, name = "a"): string {
  return JSON.stringify({ timestamp: new Date(1_770_000_000_000 + i).toISOString(), log: name, i });
}

export function range(from: number, to: number, name = "a"): string[] {
  return Array.from({ length: to - from }, (_, i) => line(from + i, name));
}
