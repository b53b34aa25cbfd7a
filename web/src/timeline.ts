/** The last hour, for the charts: begun with the agent's history, carried on with each view. */
import type { HistoryView, PipelineView } from "../../agent/api/operate.ts";

type Column = (number | null)[];

const HOUR_SECONDS = 3600;
const OUTPUT_COLUMNS = ["delivered", "backlog", "oldest"] as const;
type OutputColumn = (typeof OUTPUT_COLUMNS)[number];

export class Timeline {
  /** Seconds between samples: a view that comes sooner takes the place of the last one. */
  #interval = 5;
  /** When the last sample that stays was taken; one after it makes room for the next. */
  #settled = 0;
  /**
   * What is taken from each counter, so that it goes on where the history ends: an output's ledger counts from its first record, and the
   * history from the agent's start.
   */
  readonly #offsets = new Map<string, number>();
  readonly times: number[] = [];
  readonly #columns = new Map<string, Column>();

  begin(history: HistoryView): void {
    this.#interval = Math.max(1, history.interval_seconds);
    this.#clear();
    this.times.push(...history.times);
    this.#settled = history.times.at(-1) ?? 0;
    for (const [input, values] of Object.entries(history.read)) this.#columns.set(`read ${input}`, [...values]);
    for (const [input, values] of Object.entries(history.lag)) this.#columns.set(`lag ${input}`, [...values]);
    for (const [output, { delivered, backlog, oldest_seconds }] of Object.entries(history.outputs)) {
      this.#columns.set(`delivered ${output}`, [...delivered]);
      this.#columns.set(`backlog ${output}`, [...backlog]);
      this.#columns.set(`oldest ${output}`, [...oldest_seconds]);
    }
  }

  add(view: PipelineView): void {
    const now = Date.parse(view.time) / 1000;
    const last = this.times.at(-1);
    // Time that goes backwards cannot be drawn; what came before is of another clock.
    if (last !== undefined && now < last - this.#interval) this.#clear();
    for (const { alias, ledger } of view.outputs) this.#join(`delivered ${alias}`, ledger.delivered, now);
    for (const { alias, read } of view.inputs) this.#join(`read ${alias}`, read.records, now);
    if (last !== undefined && last > this.#settled) this.#drop(this.times.length - 1, 1);
    if (now - this.#settled >= this.#interval) this.#settled = now;
    this.times.push(now);
    for (const { alias, read, lag } of view.inputs) {
      this.#put(`read ${alias}`, read.records - this.#offsets.get(`read ${alias}`)!);
      this.#put(`lag ${alias}`, lag.seconds);
    }
    for (const { alias, ledger, backlog } of view.outputs) {
      this.#put(`delivered ${alias}`, ledger.delivered - this.#offsets.get(`delivered ${alias}`)!);
      this.#put(`backlog ${alias}`, backlog.records);
      this.#put(`oldest ${alias}`, backlog.oldest_seconds);
    }
    // A part that is no longer there goes on without values.
    for (const column of this.#columns.values()) if (column.length < this.times.length) column.push(null);
    this.#forget(now - HOUR_SECONDS);
  }

  /** Of an output. */
  column(kind: OutputColumn, alias: string): readonly (number | null)[] {
    return this.#columns.get(`${kind} ${alias}`) ?? [];
  }

  /** Entries per second settled by an output, over the time to the sample before. */
  delivered(alias: string): Column {
    return this.#perSecond(this.column("delivered", alias));
  }

  /** Entries per second read by all inputs together. */
  read(inputs: readonly string[]): Column {
    return this.#fold(
      "read",
      inputs,
      (column) => this.#perSecond(column),
      (a, b) => a + b,
    );
  }

  /** The input furthest behind, seconds. */
  lag(inputs: readonly string[]): Column {
    return this.#fold("lag", inputs, (column) => column, Math.max);
  }

  #fold(
    kind: "read" | "lag",
    inputs: readonly string[],
    shape: (column: readonly (number | null)[]) => readonly (number | null)[],
    join: (a: number, b: number) => number,
  ): Column {
    const result: Column = this.times.map(() => null);
    for (const input of inputs) {
      const column = this.#columns.get(`${kind} ${input}`);
      if (!column) continue;
      for (const [i, value] of shape(column).entries()) {
        if (value === null) continue;
        const before = result[i];
        result[i] = typeof before === "number" ? join(before, value) : value;
      }
    }
    return result;
  }

  #perSecond(column: readonly (number | null)[]): Column {
    return column.map((value, i) => {
      // The last one may be a second old only, in which a single batch looks like a mountain.
      const young = i > 1 && i === column.length - 1 && this.times[i]! - this.times[i - 1]! < this.#interval;
      const from = young ? i - 2 : i - 1;
      const before = i > 0 ? column[from] : null;
      if (typeof value !== "number" || typeof before !== "number") return null;
      const rate = (value - before) / (this.times[i]! - this.times[from]!);
      // The agent was started anew in between.
      return rate >= 0 ? rate : null;
    });
  }

  /** Makes a counter go on where the history lets expect it. */
  #join(name: string, value: number, now: number): void {
    if (this.#offsets.has(name)) return;
    const column = this.#columns.get(name) ?? [];
    const before = column.at(-1);
    if (typeof before !== "number") {
      this.#offsets.set(name, 0);
      return;
    }
    const rate = this.#perSecond(column).at(-1) ?? 0;
    this.#offsets.set(name, value - before - rate * Math.max(0, now - this.times.at(-1)!));
  }

  #put(name: string, value: number): void {
    let column = this.#columns.get(name);
    if (!column) {
      column = Array<number | null>(this.times.length - 1).fill(null);
      this.#columns.set(name, column);
    }
    column.push(value);
  }

  #forget(before: number): void {
    let old = 0;
    while (old < this.times.length && this.times[old]! < before) old++;
    if (old === 0) return;
    this.#drop(0, old);
    for (const [name, column] of this.#columns) {
      if (column.every((value) => value === null)) this.#columns.delete(name);
    }
  }

  #drop(from: number, samples: number): void {
    this.times.splice(from, samples);
    for (const column of this.#columns.values()) column.splice(from, samples);
  }

  #clear(): void {
    this.times.length = 0;
    this.#columns.clear();
    this.#offsets.clear();
    this.#settled = 0;
  }
}
