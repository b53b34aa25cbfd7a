import { setTimeout } from "node:timers/promises";
import { type FieldReader, type RecordBatch, RecordFlag, SpanFlag } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { ComponentState, Emit } from "../api/events.ts";
import type { Input } from "../api/input.ts";
import type { InputStatus } from "../api/status.ts";
import { scanRecord } from "../json/scanner.ts";
import type { Queue } from "../queue/types.ts";
import type { FilterChain } from "./chain.ts";
import { messageOf } from "./lane.ts";
import { Bell, orAbort } from "./waiting.ts";

export interface FeedParts {
  readonly alias: string;
  readonly plugin: string;
  readonly tag: string;
  readonly input: Input;
  readonly chain: FilterChain;
  readonly queue: Queue;
  readonly fields: FieldReader;
  readonly clock: Clock;
  readonly emit: Emit;
  /** A filter that lets nothing more be read makes the input fail, instead of waiting. */
  readonly once?: boolean;
  /** Whoever looks on is told of each batch behind the filters; what is to be kept of it must be copied. */
  readonly tap?: Tap;
}

export interface Tap {
  readonly open: boolean;
  tell(batch: RecordBatch): void;
}

/** A filter that holds the input is asked so often whether it still does. */
const HOLD_MS = 1_000;
/** So many files of an input are told of one by one. */
const FILES_TOLD = 20;

/** Pulls one input through the filters into the queue. Each input has its own feed: one that ends or waits does not hold the others. */
export class Feed {
  readonly alias: string;
  readonly #plugin: string;
  readonly #tag: string;
  readonly #input: Input;
  readonly #chain: FilterChain;
  readonly #queue: Queue;
  readonly #fields: FieldReader;
  readonly #clock: Clock;
  readonly #emit: Emit;
  #state: ComponentState = "starting";
  #since: number;
  #reason: string | undefined;
  #stopped = false;
  readonly #once: boolean;
  readonly #tap: Tap | undefined;
  /** A batch is on its way through the filters into the queue. */
  #busy = false;
  /** While it is set no batch begins its way. */
  #gate: { readonly opened: Promise<void>; open(): void } | undefined;
  readonly #bell = new Bell();
  #run: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  constructor(parts: FeedParts) {
    this.alias = parts.alias;
    this.#plugin = parts.plugin;
    this.#tag = parts.tag;
    this.#input = parts.input;
    this.#chain = parts.chain;
    this.#queue = parts.queue;
    this.#fields = parts.fields;
    this.#clock = parts.clock;
    this.#emit = parts.emit;
    this.#since = parts.clock.now();
    this.#once = parts.once ?? false;
    this.#tap = parts.tap;
  }

  get failed(): boolean {
    return this.#state === "failed";
  }

  /** Runs until the input ends. Never throws: an input that fails is a state, and the others go on. */
  run(): Promise<void> {
    this.#run = this.#read();
    return this.#run;
  }

  /** Resolves when it has ended, or the signal aborts. */
  async ended(signal: AbortSignal): Promise<void> {
    await orAbort(this.#run, signal).catch(() => undefined);
  }

  async #read(): Promise<void> {
    const input = this.#input;
    const whileFull = {
      ...(input.vanishing ? { urgent: () => input.vanishing!() } : {}),
      ...(input.meanwhile ? { meanwhile: (limit: number) => input.meanwhile!(limit) } : {}),
    };
    this.#become("ok");
    try {
      if (!(await this.#mayRead())) return this.#become("stopped");
      for await (const batch of input.read()) {
        if (this.#gate) await this.#gate.opened;
        // Closed while it waited: whoever follows reads it again.
        if (this.#stopped) break;
        if (batch.count > 0) this.#tell(batch);
        this.#busy = true;
        // Not awaited one by one: what a filter created and the batch it came from are one step in the queue's order.
        const appends = this.#chain.process(batch).map(({ batch: out, extra }) => {
          if (this.#tap?.open) this.#tap.tell(out);
          return this.#queue.append(out, { ...extra, ...whileFull });
        });
        await Promise.all(appends);
        this.#busy = false;
        this.#bell.ring();
        await this.#queue.pace(batch.buffer.length);
        if (!(await this.#mayRead())) break;
      }
      this.#become("stopped");
    } catch (error) {
      this.#busy = false;
      this.#bell.ring();
      if (this.#stopped) this.#become("stopped");
      else this.#become("failed", messageOf(error));
    }
  }

  /** Waits as long as a filter lets nothing more be read. False: it was stopped meanwhile. */
  async #mayRead(): Promise<boolean> {
    const { signal } = this.#stopping;
    for (;;) {
      const reason = this.#chain.holds(this.alias);
      if (reason === undefined) break;
      if (this.#once) throw new Error(reason);
      if (signal.aborted) return false;
      if (this.#reason !== reason) this.#become("blocked", reason);
      await setTimeout(HOLD_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
    if (this.#state === "blocked") this.#become("ok");
    return true;
  }

  /** Counts what was read, and of it the lines that should have been JSON objects and are not: here, once, before anything drops them. */
  #tell(batch: RecordBatch): void {
    this.#emit({ is: "read", input: this.alias, records: batch.count, bytes: batch.size() });
    const spans = this.#fields.spans(batch);
    let first = -1;
    let records = 0;
    for (let i = 0; i < batch.count; i++) {
      if ((spans.flags(i) & SpanFlag.notObject) === 0) continue;
      if (batch.flags && (batch.flags[i]! & (RecordFlag.plain | RecordFlag.cut)) !== 0) continue;
      if (records++ === 0) first = i;
    }
    if (records === 0) return;
    const { path } = batch.source;
    this.#emit({
      is: "parse_error",
      input: this.alias,
      records,
      reason: scanRecord(batch.buffer, batch.starts[first]!, batch.ends[first]!) ?? "no JSON object",
      offset: batch.offsets[first]!,
      ...(path === undefined ? {} : { path }),
    });
  }

  /** Lets no further batch into the filters until `release`. Resolves when none is under way; false where the signal aborts first. */
  async hold(signal: AbortSignal): Promise<boolean> {
    if (this.#gate === undefined) {
      const { promise: opened, resolve: open } = Promise.withResolvers<void>();
      this.#gate = { opened, open };
    }
    await this.#bell.until(() => !this.#busy, signal, signal);
    return !this.#busy;
  }

  release(): void {
    this.#gate?.open();
    this.#gate = undefined;
  }

  /** Asks the input for a last sweep. */
  stop(): void {
    this.#stopping.abort();
    this.#input.stop();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.release();
    this.#stopping.abort();
    await this.#input.close();
  }

  lostBytes(): number {
    return this.#input.lostBytes?.() ?? 0;
  }

  status(): InputStatus {
    const state = { state: this.#state, since: this.#since, reason: this.#reason };
    // It reads what it can; what it cannot is the operator's to mend.
    const trouble = this.#state === "ok" ? this.#input.trouble?.() : undefined;
    const lag = this.#input.lag?.(FILES_TOLD);
    return {
      alias: this.alias,
      plugin: this.#plugin,
      tag: this.#tag,
      ...state,
      ...(trouble ? { state: "degraded", ...trouble } : {}),
      ...(lag ? { lag } : {}),
    };
  }

  #become(state: ComponentState, reason?: string): void {
    this.#state = state;
    this.#since = this.#clock.now();
    this.#reason = reason;
    const event = { is: "component", kind: "input", name: this.alias, state } as const;
    this.#emit(reason === undefined ? event : { ...event, reason });
  }
}
