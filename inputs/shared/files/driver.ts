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
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Bench, line } from "./harness.ts";
import type { FileOptions } from "./options.ts";

/** mulberry32 */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Style = "numbered" | "in glob" | "daily" | "copytruncate";

export class Driver {
  readonly #random: () => number;
  readonly bench: Bench;
  readonly style: Style;
  readonly log: string[] = [];
  #next = 0;
  #rotations = 0;
  #day = 1;
  /** The unwritten rest of a line that was begun. */
  #half: string | undefined;
  #snapshots: Map<string, string>[] = [];

  constructor(seed: number, options: Partial<FileOptions> = {}) {
    this.#random = random(seed);
    this.style = this.#pick(["numbered", "in glob", "daily", "copytruncate"] as const);
    this.bench = new Bench({ rotateWait: 40, chunkBytes: this.#pick([512, 4096, 65_536]), ...options });
    this.bench.onEvent = (event) => this.log.push(`    ${JSON.stringify(event).replaceAll(this.bench.dir, "")}`);
  }

  async run(steps: number): Promise<void> {
    const { bench } = this;
    bench.start();
    for (let i = 0; i < steps; i++) await this.#step();
    this.#finishLine();
    // A rotated last line without newline is whole only once there is a newer file.
    this.#write(`${line(this.#next++)}\n`);
    bench.resume();
    if (!bench.input) bench.start();
    await this.#allDelivered();
    this.#check();
    await bench.done();
  }

  async #step(): Promise<void> {
    const choice = this.#random();
    if (choice < 0.5) this.#append();
    else if (choice < 0.65) this.#rotate();
    else if (choice < 0.7) this.#compress();
    else if (choice < 0.74) this.#deleteOldest();
    else if (choice < 0.82) await this.#stopOrKill();
    else if (choice < 0.9) await sleep(this.#random() * 60);
    else if (choice < 0.95) this.bench.pause();
    else this.bench.resume();
    if (!this.bench.input && this.#random() < 0.4) this.#start();
    if (this.bench.input) this.#snapshots.push(new Map(this.bench.positions));
    if (this.#snapshots.length > 5) this.#snapshots.shift();
  }

  get #live(): string {
    if (this.style === "daily") return `app-2026-02-${String(this.#day).padStart(2, "0")}.log`;
    return this.style === "in glob" ? "app-2026-02-01.log" : "app.log";
  }

  #append(): void {
    let text = this.#half === undefined ? "" : `${this.#half}\n`;
    this.#half = undefined;
    for (let i = Math.floor(this.#random() * 40); i >= 0; i--) text += `${line(this.#next++)}\n`;
    if (this.#random() < 0.3) {
      const whole = line(this.#next++);
      text += whole.slice(0, 20);
      this.#half = whole.slice(20);
    }
    this.#write(text);
  }

  #write(text: string): void {
    appendFileSync(this.bench.path(this.#live), text);
  }

  #finishLine(): void {
    if (this.#half !== undefined) this.#write(`${this.#half}\n`);
    this.#half = undefined;
  }

  #rotate(): void {
    const live = this.bench.path(this.#live);
    if (this.style !== "daily" && (!existsSync(live) || statSync(live).size === 0)) return;
    // Writers finish their line before they rotate, mostly; a last line without newline is whole here.
    if (this.#half !== undefined) {
      this.#write(this.#random() < 0.5 ? this.#half : `${this.#half}\n`);
      this.#half = undefined;
    }
    this.#rotations++;
    this.log.push(`rotate after ${this.#next}`);
    if (this.style === "daily") this.#day++;
    else if (this.style === "in glob")
      renameSync(live, this.bench.path(`app-2026-02-01.${100000 + this.#rotations}.log`));
    else this.#shift(live);
  }

  /** app.log.1 becomes app.log.2 and so on. */
  #shift(live: string): void {
    for (let i = 200; i >= 1; i--) {
      for (const suffix of ["", ".gz"]) {
        const from = `${live}.${i}${suffix}`;
        if (existsSync(from)) renameSync(from, `${live}.${i + 1}${suffix}`);
      }
    }
    if (this.style === "numbered") renameSync(live, `${live}.1`);
    else {
      copyFileSync(live, `${live}.1`);
      truncateSync(live, 0);
    }
  }

  #rotated(): string[] {
    const names = readdirSync(this.bench.dir).filter((name) => name !== this.#live);
    return names.sort(
      (a, b) => statSync(this.bench.path(a)).mtimeMs - statSync(this.bench.path(b)).mtimeMs || (a < b ? -1 : 1),
    );
  }

  /** As gzip does: the time of the original on the compressed file, then the original goes. */
  #compress(): void {
    const plain = this.#rotated().filter((name) => !name.endsWith(".gz"));
    const name = plain[0];
    if (name === undefined || plain.length < 2) return;
    const path = this.bench.path(name);
    const { atime, mtime } = statSync(path);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
    utimesSync(`${path}.gz`, atime, mtime);
    unlinkSync(path);
    this.log.push(`compress ${name}`);
  }

  /** Only what the agent has met: what it never saw it cannot hold. */
  #deleteOldest(): void {
    const name = this.#rotated()[0];
    if (name === undefined || name.endsWith(".gz") || !this.bench.input) return;
    const path = this.bench.path(name);
    const last = readFileSync(path, "latin1").trimEnd().split("\n").at(-1);
    if (last === undefined || !this.bench.texts.includes(last)) return;
    unlinkSync(path);
    // An agent that forgot having read it would rightly call it lost.
    this.#snapshots = [];
    this.log.push(`delete ${name}`);
  }

  async #stopOrKill(): Promise<void> {
    const { bench } = this;
    if (!bench.input) return;
    if (this.#random() < 0.5) {
      this.log.push("stop");
      bench.resume();
      await bench.stop();
      return;
    }
    this.log.push("kill");
    await bench.kill();
    // The last blocks were not durable yet: what came is there, the positions are older.
    if (this.#random() < 0.5 && this.#snapshots.length > 0 && this.style !== "copytruncate") {
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
    const missing = () => {
      const seen = new Set(this.bench.texts);
      return Array.from({ length: this.#next }, (_, i) => line(i)).filter((text) => !seen.has(text));
    };
    try {
      await this.bench.until(() => new Set(this.bench.texts).size >= this.#next && missing().length === 0);
    } catch (error) {
      throw new Error(`missing ${missing().slice(0, 3)}\n${this.#story()}`, { cause: error });
    }
  }

  #check(): void {
    const byId = new Map<string, string>();
    const first: string[] = [];
    for (const { id, text } of this.bench.got) {
      const before = byId.get(id);
      if (before === undefined) first.push(text);
      else if (text !== before) throw new Error(`${id} is ${before} and ${text}\n${this.#story()}`);
      byId.set(id, text);
    }
    const wrong = first.findIndex((text, i) => text !== line(i));
    if (wrong < 0 && first.length === this.#next && this.bench.lost.length === 0) return;
    throw new Error(`${first.length} of ${this.#next}, wrong at ${wrong}: ${first[wrong]}\n${this.#story()}`);
  }

  #story(): string {
    return `${this.style}\n${this.bench.lost.map((l) => JSON.stringify(l)).join()}\n${this.log.join("\n")}`;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }
}
