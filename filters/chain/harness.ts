/** For tests: the filter as the pipeline runs it, over files, in batches of any size, stopped and started again anywhere. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Filter } from "../../agent/api/filter.ts";
import { type SchemeName, schemeOf } from "../../agent/integrity/scheme.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { FilterChain, type Filtered } from "../../agent/pipeline/chain.ts";
import { batchOf } from "../../test/fakes/batch.ts";
import { chain } from "./index.ts";

export interface TestFile {
  readonly path: string;
  readonly lines: readonly string[];
  /** Offset of each line. */
  readonly offsets: readonly number[];
}

/** The lines an input would make of a file. */
export function fileOf(path: string, bytes: Buffer = readFileSync(path)): TestFile {
  const lines: string[] = [];
  const offsets: number[] = [];
  let at = 0;
  for (const line of bytes.toString("latin1").split("\n")) {
    if (line.trim() !== "") {
      lines.push(line);
      offsets.push(at);
    }
    at += line.length + 1;
  }
  return { path, lines, offsets };
}

export interface Told {
  readonly id: string;
  readonly event: string;
  readonly level: string;
  readonly kind?: string;
  readonly file: string | null;
  readonly line?: number | null;
  readonly offset: number;
  readonly [member: string]: unknown;
}

/** One filter, and everything that came of it. */
export class ChainBench {
  readonly told: Told[] = [];
  readonly events: AgentEvent[] = [];
  /** Records that passed, and how many were read. */
  readonly passed: RecordBatch[] = [];
  now = 1_770_000_000_000;
  #filter: Filter | undefined;
  #chain: FilterChain | undefined;
  /** As the queue has it. */
  readonly states = new Map<string, Uint8Array>();
  readonly #settings: object;

  constructor(settings: object = {}) {
    this.#settings = settings;
    this.start();
  }

  /** A new process, with what the queue knows. */
  start(): void {
    const emit = (event: AgentEvent) => void this.events.push(event);
    const clock = { now: () => this.now, monotonic: () => this.now };
    const context = { alias: "chain", node: "n", version: "1", clock, emit, fields: new Scanner([]) };
    this.#filter = chain.create(chain.options.parse(this.#settings), context) as Filter;
    for (const [group, state] of this.states) this.#filter.restore!(group, state);
    this.#chain = new FilterChain(
      [{ alias: "chain", matches: (tag) => tag !== "audit.integrity", filter: this.#filter }],
      emit,
    );
  }

  get filter(): Filter {
    return this.#filter!;
  }

  process(batch: RecordBatch): Filtered[] {
    const out = this.#chain!.process(batch);
    for (const each of out) this.#store(each);
    return out;
  }

  /** A line of a file on disk may have any bytes. */
  read(file: TestFile, from = 0, to = file.lines.length, about: Partial<RecordBatch["source"]> = {}): Filtered[] {
    return this.process(this.batch(file, from, to, about));
  }

  batch(file: TestFile, from = 0, to = file.lines.length, about: Partial<RecordBatch["source"]> = {}): RecordBatch {
    const source = { id: `id-${file.path}`, input: "tail", group: "/logs/audit.jsonl", path: file.path, ...about };
    const bytes = file.lines.slice(from, to).map((line) => Buffer.from(line, "latin1"));
    const made = batchOf(
      bytes.map(() => ""),
      { source },
    );
    const buffer = Buffer.concat(bytes.flatMap((each) => [each, Buffer.of(10)]));
    let at = 0;
    for (const [i, each] of bytes.entries()) {
      made.starts[i] = at;
      made.ends[i] = at + each.length;
      made.offsets[i] = file.offsets[from + i]!;
      at += each.length + 1;
    }
    return Object.assign(made, { buffer });
  }

  tick(ms = 1_000): void {
    this.now += ms;
    for (const each of this.#chain!.tick(this.now)) this.#store(each);
  }

  /** Nothing more will come. */
  end(): void {
    for (const each of this.#chain!.tick(Number.POSITIVE_INFINITY)) this.#store(each);
  }

  /** What the queue would store. */
  #store({ batch, extra }: Filtered): void {
    for (const { group, state } of extra.states) this.states.set(group, state);
    if (batch.kind === "") {
      this.passed.push(batch);
      return;
    }
    for (let i = 0; i < batch.count; i++) {
      this.told.push({ id: batch.id(i), ...(JSON.parse(batch.bytes(i).toString()) as object) } as Told);
    }
  }

  get breaks(): Told[] {
    return this.told.filter(({ event }) => event === "integrity.chain.broken");
  }

  of(event: string): Told[] {
    return this.told.filter((each) => each.event === `integrity.chain.${event}`);
  }
}

/** A writer of a chain in memory: entries as the scheme's writer makes them, with plain values. */
export class ChainWriter {
  readonly #scheme: SchemeName;
  #seq = 0;
  tip: string;

  constructor(scheme: SchemeName = "loki-dashboard") {
    this.#scheme = scheme;
    this.tip = schemeOf(scheme).genesis;
  }

  /** The next entry. `text` makes it another one than it would be. */
  line(text = "x"): string {
    const n = this.#seq++;
    const own = `{"n": ${n}, "text": "${text}"}`;
    const before = this.tip;
    switch (this.#scheme) {
      case "loki-dashboard":
        this.tip = hash("sha256", before + own);
        return `${own.slice(0, -1)}, "_integrity_hash": "${this.tip}"}`;
      case "app": {
        this.tip = hash("sha256", `${before}:${own}`);
        const previous = before === "None" ? "null" : `"${before}"`;
        return `${own.slice(0, -1)}, "prev_hash": ${previous}, "hash": "${this.tip}"}`;
      }
      case "loki-agent": {
        const entry = { seq: n, who: text, previousHash: before };
        this.tip = hash("sha256", JSON.stringify(entry));
        return JSON.stringify({ ...entry, hash: this.tip });
      }
    }
  }

  lines(count: number, text?: string): string[] {
    return Array.from({ length: count }, () => this.line(text));
  }

  /** Begins a new chain, as after a restart. */
  restart(): void {
    this.tip = schemeOf(this.#scheme).genesis;
  }
}

export function linesFile(path: string, lines: readonly string[]): TestFile {
  return fileOf(path, Buffer.from(lines.map((line) => `${line}\n`).join("")));
}
