/** For tests: a writer that rotates in every way there is, an agent that is stopped and killed, all by one seed. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { seeded } from "../../../test/fakes/random.ts";
import { Bench, line } from "./harness.ts";
import type { FileOptions } from "./options.ts";
import { Simulation } from "./simulation.ts";

export type Style = "numbered" | "in glob" | "daily" | "copytruncate" | "copytruncate, written to meanwhile";
export const STYLES: readonly Style[] = [
  "numbered",
  "in glob",
  "daily",
  "copytruncate",
  "copytruncate, written to meanwhile",
];

/** Virtual milliseconds after which what is there must have arrived. */
const PATIENCE_MS = 120_000;

export class Driver {
  readonly #random: () => number;
  readonly #machine: Simulation;
  readonly bench: Bench;
  readonly style: Style;
  readonly log: string[] = [];
  #next = 0;
  #rotations = 0;
  #day = 1;
  /** The unwritten rest of a line that was begun. */
  #half: string | undefined;
  /** Written between a copy and the cut: lost, unless it was read at once. Nothing else may be. */
  readonly #between = new Set<string>();
  #snapshots: Map<string, string>[] = [];
  /** What the writer is in the midst of: one call of the system at a time. */
  #action: Iterator<void> | undefined;
  /** How likely the writer goes on between two questions of the engine. */
  readonly #haste: number;
  /** What every file begins with: alike, their first lines do not tell them apart. */
  readonly #header: string;

  constructor(seed: number, style?: Style, options: Partial<FileOptions> = {}) {
    this.#random = seeded(seed);
    const picked = this.#pick(STYLES);
    this.style = style ?? picked;
    this.#haste = this.#pick([0, 0.02, 0.2]);
    // A copy of a file that says no time at its beginning cannot be told from another file.
    this.#header = this.style.startsWith("copytruncate") ? "" : this.#pick(["", '{"log":"header"}\n']);
    this.#machine = new Simulation(this.#random);
    this.#machine.meanwhile = () => this.#meanwhile();
    this.bench = new Bench(
      { rotateWait: 40, chunkBytes: this.#pick([512, 4096, 65_536]), ...options },
      { system: this.#machine, clock: this.#machine.clock },
    );
    const log = (text: string) => this.log.push(text.replaceAll(this.bench.dir, ""));
    this.bench.onEvent = (event) => log(`    ${this.#machine.clock.monotonic()} ${JSON.stringify(event)}`);
    if (process.env.QUESTIONS) this.#machine.onQuestion = (question) => log(`        ${question}`);
  }

  async run(steps: number): Promise<void> {
    const { bench } = this;
    try {
      bench.start();
      for (let i = 0; i < steps; i++) await this.#step();
      while (this.#action) this.#write();
      this.#action = this.#last();
      while (this.#action) this.#write();
      bench.resume();
      if (!bench.input) this.#start();
      await this.#allDelivered();
      this.#check();
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.#story()}`, { cause: error });
    } finally {
      this.#machine.meanwhile = () => {};
      await this.#machine.until(bench.done());
    }
  }

  async #step(): Promise<void> {
    const choice = this.#random();
    if (this.#action && choice < 0.75) this.#write();
    else if (choice < 0.75) this.#action = this.#newAction();
    else if (choice < 0.83) await this.#stopOrKill();
    else if (choice < 0.9) this.#machine.pass(this.#random() * 60);
    else if (choice < 0.95) this.bench.pause();
    else this.bench.resume();
    if (!this.bench.input && this.#random() < 0.4) this.#start();
    for (let turns = Math.floor(this.#random() * this.#pick([1, 20, 200])); turns > 0; turns--) {
      await this.#machine.turn();
    }
    if (this.bench.holding && this.#random() < 0.5) this.bench.meanwhile();
    if (this.bench.input) this.#snapshots.push(new Map(this.bench.positions));
    if (this.#snapshots.length > 5) this.#snapshots.shift();
  }

  #meanwhile(): void {
    if (this.#action && this.#random() < this.#haste) this.#write();
  }

  #write(): void {
    if (this.#action?.next().done) this.#action = undefined;
  }

  #newAction(): Iterator<void> {
    const choice = this.#random();
    if (choice < 0.65) return this.#append();
    if (choice < 0.88) return this.#rotate();
    return choice < 0.95 ? this.#compress() : this.#deleteOldest();
  }

  get #loses(): boolean {
    return this.style === "copytruncate, written to meanwhile";
  }

  get #live(): string {
    if (this.style === "daily") return `app-2026-02-${String(this.#day).padStart(2, "0")}.log`;
    return this.style === "in glob" ? "app-2026-02-01.log" : "app.log";
  }

  *#append(): Generator<void> {
    let text = this.#half === undefined ? "" : `${this.#half}\n`;
    this.#half = undefined;
    for (let i = Math.floor(this.#random() * 40); i >= 0; i--) text += `${line(this.#next++)}\n`;
    if (this.#random() < 0.3) {
      const whole = line(this.#next++);
      text += whole.slice(0, 20);
      this.#half = whole.slice(20);
    }
    yield this.#add(this.#live, text);
  }

  #add(name: string, text: string): void {
    const path = this.bench.path(name);
    const begins = name === this.#live && text !== "" && (!existsSync(path) || statSync(path).size === 0);
    appendFileSync(path, begins ? this.#header + text : text);
    this.#machine.touched(path, true);
  }

  #rename(from: string, to: string): void {
    renameSync(from, to);
    this.log.push(`${basename(from)} -> ${basename(to)}`);
    this.#machine.touched(from, false);
    this.#machine.touched(to, false);
  }

  #unlink(path: string): void {
    unlinkSync(path);
    this.log.push(`${basename(path)} deleted`);
    this.#machine.touched(path, false);
  }

  /** A rotated last line without newline is whole only once there is a newer file, so the last thing written is whole. */
  *#last(): Generator<void> {
    if (this.#half !== undefined) yield this.#add(this.#live, `${this.#half}\n`);
    this.#half = undefined;
    yield this.#add(this.#live, `${line(this.#next++)}\n`);
  }

  *#rotate(): Generator<void> {
    const live = this.bench.path(this.#live);
    if (this.style !== "daily" && (!existsSync(live) || statSync(live).size === 0)) return;
    // Writers finish their line before they rotate, mostly; a last line without newline is whole here.
    if (this.#half !== undefined) {
      const half = this.#half;
      this.#half = undefined;
      yield this.#add(this.#live, !this.#loses && this.#random() < 0.5 ? half : `${half}\n`);
    }
    this.#rotations++;
    this.log.push(`rotate after ${this.#next}`);
    if (this.style === "daily") this.#day++;
    else if (this.style === "in glob") {
      yield this.#rename(live, this.bench.path(`app-2026-02-01.${100000 + this.#rotations}.log`));
    } else yield* this.#shift(live);
    // Some open the new file at once.
    if (this.#random() < 0.3) yield this.#add(this.#live, "");
  }

  /** app.log.1 becomes app.log.2 and so on. */
  *#shift(live: string): Generator<void> {
    for (let i = this.#rotations; i >= 1; i--) {
      for (const suffix of ["", ".gz"]) {
        const from = `${live}.${i}${suffix}`;
        if (existsSync(from)) yield this.#rename(from, `${live}.${i + 1}${suffix}`);
      }
    }
    if (this.style === "numbered") yield this.#rename(live, `${live}.1`);
    else {
      copyFileSync(live, `${live}.1`);
      this.log.push("copied");
      yield this.#machine.touched(`${live}.1`, true);
      if (this.#loses) {
        for (let i = Math.floor(this.#random() * 5); i >= 0; i--) {
          const text = line(this.#next++);
          this.#between.add(text);
          yield this.#add(this.#live, `${text}\n`);
        }
      }
      truncateSync(live, 0);
      this.log.push("emptied");
      yield this.#machine.touched(live, true);
    }
  }

  #rotated(): string[] {
    const names = readdirSync(this.bench.dir).filter((name) => name !== this.#live);
    return names.sort(
      (a, b) => statSync(this.bench.path(a)).mtimeMs - statSync(this.bench.path(b)).mtimeMs || (a < b ? -1 : 1),
    );
  }

  /** As gzip does: bit by bit, the time of the original on the compressed file, then the original goes. */
  *#compress(): Generator<void> {
    const plain = this.#rotated().filter((name) => !name.endsWith(".gz"));
    const name = plain[0];
    if (name === undefined || plain.length < 2) return;
    const path = this.bench.path(name);
    const { atime, mtime } = statSync(path);
    const packed = gzipSync(readFileSync(path));
    const half = Math.floor(this.#random() * packed.length);
    writeFileSync(`${path}.gz`, "");
    yield this.#machine.touched(`${path}.gz`, true);
    this.#add(`${name}.gz`, "");
    appendFileSync(`${path}.gz`, packed.subarray(0, half));
    yield this.#machine.touched(`${path}.gz`, true);
    appendFileSync(`${path}.gz`, packed.subarray(half));
    yield this.#machine.touched(`${path}.gz`, true);
    utimesSync(`${path}.gz`, atime, mtime);
    yield this.#machine.touched(`${path}.gz`, false);
    yield this.#unlink(path);
  }

  /** As far as the agent knows, also one that forgot its last blocks. */
  #isRead(path: string): boolean {
    const { dev, ino, size } = statSync(path);
    const positions = [...this.bench.positions.values()].map((value) => JSON.parse(value));
    if (!positions.some(({ ino: inode, off }) => inode === `${dev}:${ino}` && off >= size)) return false;
    // The position may be that of an earlier file with this inode.
    const seen = new Set(this.bench.texts);
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.every((text) => text === "" || seen.has(text) || this.#between.has(text));
  }

  /** Only what the agent has met: what it never saw it cannot hold. */
  *#deleteOldest(): Generator<void> {
    const name = this.#rotated()[0];
    if (name === undefined || name.endsWith(".gz") || !this.bench.input) return;
    const path = this.bench.path(name);
    if (!this.#isRead(path)) return;
    // An agent that forgot having read it would rightly call it lost.
    this.#snapshots = [];
    yield this.#unlink(path);
  }

  async #stopOrKill(): Promise<void> {
    const { bench } = this;
    if (!bench.input) return;
    if (this.#random() < 0.5) {
      this.log.push("stop");
      bench.resume();
      await this.#machine.until(bench.stop());
      return;
    }
    this.log.push("kill");
    await this.#machine.until(bench.kill());
    // The last blocks were not durable yet: what came is there, the positions are older.
    if (this.#random() < 0.5 && this.#snapshots.length > 0) {
      const older = this.#pick(this.#snapshots);
      bench.positions.clear();
      for (const [key, value] of older) bench.positions.set(key, value);
    }
  }

  #start(): void {
    this.log.push("start");
    this.#snapshots = [];
    this.bench.start();
  }

  async #allDelivered(): Promise<void> {
    const end = this.#machine.clock.monotonic() + PATIENCE_MS;
    let count = 0;
    for (;;) {
      if (this.bench.got.length !== count) {
        count = this.bench.got.length;
        if (this.#missing().length === 0) return;
      }
      if (!(await this.#machine.turn()) || this.#machine.clock.monotonic() > end) {
        throw new Error(`missing ${this.#missing().slice(0, 3)}`);
      }
    }
  }

  #missing(): string[] {
    const seen = new Set(this.bench.texts);
    return Array.from({ length: this.#next }, (_, i) => line(i)).filter(
      (text) => !seen.has(text) && !this.#between.has(text),
    );
  }

  #check(): void {
    const byId = new Map<string, string>();
    const first: string[] = [];
    for (const { id, text } of this.bench.got) {
      const before = byId.get(id);
      if (before === undefined && !this.#between.has(text) && !this.#header.startsWith(text)) first.push(text);
      if (before !== undefined && text !== before) throw new Error(`${id} is ${before} and ${text}`);
      byId.set(id, text);
    }
    const all = Array.from({ length: this.#next }, (_, i) => line(i)).filter((text) => !this.#between.has(text));
    // Of an emptied file nobody knows how much there was: `lost` tells what was seen last.
    const wrong = first.findIndex((text, i) => text !== all[i]);
    if (
      wrong < 0 &&
      first.length === all.length &&
      (this.style.startsWith("copytruncate") || this.bench.lost.length === 0)
    )
      return;
    throw new Error(`${first.length} of ${all.length}, wrong at ${wrong}: ${first[wrong]}`);
  }

  #story(): string {
    return `${this.style}\n${this.bench.lost.map((l) => JSON.stringify(l)).join()}\n${this.log.join("\n")}`;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}
