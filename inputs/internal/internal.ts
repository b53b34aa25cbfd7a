import { createHash } from "node:crypto";
import { RecordBatch, type Source } from "../../agent/api/batch.ts";
import type { InputContext } from "../../agent/api/context.ts";
import type { AgentEvent, ComponentState } from "../../agent/api/events.ts";
import type { Input } from "../../agent/api/input.ts";
import { type Level, RANK, type Told, told } from "./entries.ts";

/** Between two entries of one story. */
const PAUSE_MS = 10_000;
const MAX_STORIES = 1_000;
const SEQUENCE = "sequence";
const WORSE: readonly ComponentState[] = ["ok", "degraded", "blocked", "failed"];

interface Story {
  readonly last: Told;
  readonly time: number;
  readonly count: number;
  readonly records: number;
  readonly bytes: number;
  readonly worst: ComponentState | undefined;
}

/**
 * What happens to the agent, as entries. Telling of it may itself be an event (a destination refuses the entry): so a story has one entry in
 * ten seconds at most, and what comes meanwhile is in the next. Numbered like standard input, on from the stored position.
 */
export class InternalInput implements Input {
  readonly #level: Level;
  readonly #context: InputContext;
  readonly #source: Source;
  readonly #held = new Map<string, Story>();
  readonly #toldAt = new Map<string, number>();
  readonly #troubled = new Set<string>();
  readonly #leave: () => void;
  #sequence: number;
  #dropped = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(level: Level, context: InputContext) {
    this.#level = level;
    this.#context = context;
    const stored = context.positions.get(SEQUENCE) ?? "0";
    this.#sequence = Number(stored);
    if (!Number.isSafeInteger(this.#sequence)) throw new Error(`the stored position ${stored} is no number`);
    const name = ["internal", context.dataDirId, context.alias, this.#sequence].join("\0");
    const id = createHash("sha256").update(name).digest("base64url").slice(0, 22);
    this.#source = { id, input: context.alias, group: context.alias };
    this.#ended = context.once;
    this.#leave = context.events?.((event) => this.#hear(event)) ?? (() => {});
  }

  async *read(): AsyncGenerator<RecordBatch> {
    for (;;) {
      const ended = this.#ended;
      if (ended) this.#leave();
      const batch = this.#batch(ended);
      if (batch) yield batch;
      else if (ended) return;
      else await this.#next();
    }
  }

  stop(): void {
    this.#end();
  }

  async close(): Promise<void> {
    this.#held.clear();
    this.#end();
  }

  #end(): void {
    this.#leave();
    this.#ended = true;
    this.#wake();
  }

  #hear(event: AgentEvent): void {
    const { alias } = this.#context;
    if (event.is === "component" && event.kind === "input" && event.name === alias) return;
    const tale = told(event);
    if (tale === undefined || !this.#wanted(tale)) return;
    const { key, state, fields } = tale;
    const before = this.#held.get(key);
    if (!before && this.#held.size >= MAX_STORIES) this.#dropOldest();
    const sum = (name: "records" | "bytes") => (before?.[name] ?? 0) + (Number(fields[name]) || 0);
    this.#held.set(key, {
      last: tale,
      time: this.#context.clock.now(),
      count: (before?.count ?? 0) + 1,
      records: sum("records"),
      bytes: sum("bytes"),
      worst: worse(before?.worst, state),
    });
    this.#wake();
  }

  /** A part that is well again is news wherever its trouble was. */
  #wanted({ key, level, state }: Told): boolean {
    const loud = RANK[level] >= RANK[this.#level];
    if (state === undefined) return loud;
    if (state === "ok") return this.#troubled.delete(key) || loud;
    if (loud && this.#troubled.size < MAX_STORIES) this.#troubled.add(key);
    return loud;
  }

  #dropOldest(): void {
    const [oldest] = this.#held;
    if (!oldest) return;
    this.#held.delete(oldest[0]);
    this.#dropped += oldest[1].count;
  }

  /** Until something is heard, or the first of what is held back is due. */
  async #next(): Promise<void> {
    const now = this.#context.clock.monotonic();
    const due = Math.min(...[...this.#held.keys()].map((key) => (this.#toldAt.get(key) ?? now) + PAUSE_MS - now));
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (Number.isFinite(due)) timer = setTimeout(resolve, Math.max(1, due));
    });
    clearTimeout(timer);
  }

  #batch(all: boolean): RecordBatch | undefined {
    const now = this.#context.clock.monotonic();
    for (const [key, at] of this.#toldAt) if (now - at >= PAUSE_MS) this.#toldAt.delete(key);
    const lines: Buffer[] = [];
    for (const [key, story] of this.#held) {
      if (!all && this.#toldAt.has(key)) continue;
      this.#held.delete(key);
      this.#toldAt.set(key, now);
      lines.push(Buffer.from(`${this.#entry(story)}\n`));
    }
    return lines.length === 0 ? undefined : this.#pack(lines);
  }

  #entry({ last, time, count, records, bytes, worst }: Story): string {
    const { level, event, message, fields } = last;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return JSON.stringify({
      timestamp: new Date(time).toISOString(),
      level,
      event,
      ...fields,
      ...("records" in fields ? { records } : {}),
      ...("bytes" in fields && last.event === "agent.lost" ? { bytes } : {}),
      count,
      ...(worst !== undefined && worst !== last.state ? { worst } : {}),
      ...(dropped > 0 ? { dropped } : {}),
      message,
    });
  }

  #pack(lines: readonly Buffer[]): RecordBatch {
    const count = lines.length;
    const starts = new Uint32Array(count);
    const ends = new Uint32Array(count);
    let at = 0;
    for (const [i, line] of lines.entries()) {
      starts[i] = at;
      at += line.length;
      ends[i] = at - 1;
    }
    const offsets = Float64Array.from(lines, (_, i) => this.#sequence + i);
    this.#sequence += count;
    const { tag, clock } = this.#context;
    return new RecordBatch({
      buffer: Buffer.concat(lines),
      starts,
      ends,
      offsets,
      count,
      tag,
      source: this.#source,
      readTime: clock.now(),
      positions: [{ key: SEQUENCE, value: String(this.#sequence) }],
    });
  }
}

function worse(a: ComponentState | undefined, b: ComponentState | undefined): ComponentState | undefined {
  if (a === undefined || b === undefined) return b ?? a;
  return WORSE.indexOf(a) > WORSE.indexOf(b) ? a : b;
}
