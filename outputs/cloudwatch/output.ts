import { hostname } from "node:os";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { TimeKind, View } from "../../agent/api/view.ts";
import { Encoder } from "../shared/encode.ts";
import { ByteWriter } from "../shared/writer.ts";
import { MAX_AGE_MS, MAX_AHEAD_MS, MAX_EVENT_BYTES, rejectedOf, requestsOf, type Sized } from "./limits.ts";
import { type NameTemplate, nameTemplate } from "./names.ts";
import type { CloudwatchOptions } from "./options.ts";
import { is, LogService } from "./service.ts";

/** Streams written to at a time; the requests of one stream follow one another. */
const PARALLEL = 4;
const CUT = " [cut]";

interface LogEvent extends Sized {
  /** Index through all batches of the write. */
  readonly at: number;
  readonly message: string;
}

interface Target {
  readonly group: string;
  readonly stream: string;
  readonly events: LogEvent[];
}

/** Why a stream's events, from one of them on, are not stored. */
interface Trouble {
  readonly kind: "throttled" | "operator" | "transient";
  readonly reason: string;
  readonly pauseMs?: number | undefined;
}

export class CloudwatchOutput implements Output {
  readonly #options: CloudwatchOptions;
  readonly #context: OutputContext;
  readonly #service: LogService;
  readonly #view: View;
  readonly #encoder: Encoder;
  readonly #group: NameTemplate;
  readonly #stream: NameTemplate;
  readonly #scratch = new ByteWriter(4_096);

  constructor(options: CloudwatchOptions, context: OutputContext) {
    const { fields, emit, alias, node } = context;
    this.#options = options;
    this.#context = context;
    this.#service = new LogService(options, context);
    this.#view = new View(fields);
    const nonFinite = options.format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: options.format, nonFinite, emit, alias });
    const about = { hostname: hostname(), node };
    this.#group = nameTemplate(options.log_group, "group", about);
    this.#stream = nameTemplate(options.log_stream, "stream", about);
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    const failed = new Map<number, Failure>();
    const targets = this.#targets(batches, failed);
    const troubles: Trouble[] = [];
    let stored = false;
    const next = targets[Symbol.iterator]();
    const work = async () => {
      for (let turn = next.next(); !turn.done; turn = next.next()) {
        const trouble = await this.#ship(turn.value, failed, signal, () => {
          stored = true;
        });
        if (trouble) troubles.push(trouble);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, targets.length) }, work));
    signal.throwIfAborted();
    const first = troubles[0];
    if (first === undefined) return failed.size > 0 ? { failed } : {};
    const settled = stored || [...failed.values()].some(({ action }) => action === "reject");
    if (!settled && first.kind === "transient") throw new Error(first.reason);
    if (!settled && first.kind === "operator") return { blocked: first.reason };
    const pauseMs = Math.max(0, ...troubles.map((trouble) => trouble.pauseMs ?? 0));
    return { failed, ...(pauseMs > 0 && { pauseMs }) };
  }

  async probe(signal: AbortSignal): Promise<void> {
    const prefix = this.#options.log_group.replace(/[%$].*$/s, "");
    try {
      await this.#service.probe(prefix === "" ? "a" : prefix, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error(this.#service.connection.failure(error).reason);
    }
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  /** Events by group and stream, in order of time; of the same time, in their own order. */
  #targets(batches: readonly RecordBatch[], failed: Map<number, Failure>): Target[] {
    const targets = new Map<string, Target>();
    const now = this.#context.clock.now();
    let at = 0;
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++, at++) {
        const time = this.#view.time(batch, index);
        const own = time.kind === TimeKind.exact && time.ms >= 0 ? time.ms : batch.readTime;
        const group = this.#group.render(batch.tag, own);
        const stream = this.#stream.render(batch.tag, own);
        const message = this.#message(batch, index);
        if (message === undefined) {
          failed.set(at, {
            action: "reject",
            reason: `larger than the ${MAX_EVENT_BYTES} bytes that the service takes`,
          });
          continue;
        }
        const inside = own >= now - MAX_AGE_MS && own <= now + MAX_AHEAD_MS;
        const ms = inside || this.#options.out_of_range === "dead_letter" ? own : now;
        const key = `${group}\n${stream}`;
        let target = targets.get(key);
        if (target === undefined) {
          target = { group, stream, events: [] };
          targets.set(key, target);
        }
        target.events.push({ at, ms, ...message });
      }
    }
    this.#encoder.release();
    for (const { events } of targets.values()) events.sort((a, b) => a.ms - b.ms);
    return [...targets.values()];
  }

  #message(batch: RecordBatch, index: number): { message: string; bytes: number } | undefined {
    const scratch = this.#scratch;
    scratch.reset();
    this.#encoder.encode(batch, index, scratch);
    if (scratch.length > MAX_EVENT_BYTES) {
      if (this.#options.too_large === "dead_letter") return undefined;
      let end = MAX_EVENT_BYTES - CUT.length;
      while ((scratch.buffer[end]! & 0xc0) === 0x80) end--;
      scratch.length = end;
      scratch.ascii(CUT);
    }
    const message = scratch.view().toString("utf8");
    // Bytes that are no UTF-8 (of an original) become U+FFFD, which is longer.
    const bytes = this.#options.format === "json" ? scratch.length : Buffer.byteLength(message);
    return bytes > MAX_EVENT_BYTES ? undefined : { message, bytes };
  }

  /** One stream's requests, in order; what is not stored is in `failed` afterwards. */
  async #ship(
    { group, stream, events }: Target,
    failed: Map<number, Failure>,
    signal: AbortSignal,
    onStored: () => void,
  ): Promise<Trouble | undefined> {
    for (const { from, to } of requestsOf(events)) {
      try {
        await this.#put(group, stream, events.slice(from, to), failed, signal, onStored);
      } catch (error) {
        if (signal.aborted) return undefined;
        const { kind, reason, pauseMs } = this.#service.connection.failure(error);
        const action = kind === "operator" ? "block" : "retry";
        for (const { at } of events.slice(from)) if (!failed.has(at)) failed.set(at, { action, reason });
        return { kind: kind === "too_large" ? "transient" : kind, reason, pauseMs };
      }
    }
    return undefined;
  }

  /** One request. What the service calls invalid as a whole is halved until the guilty stand alone. */
  async #put(
    group: string,
    stream: string,
    events: readonly LogEvent[],
    failed: Map<number, Failure>,
    signal: AbortSignal,
    onStored: () => void,
  ): Promise<void> {
    try {
      const list = events.map(({ ms, message }) => ({ timestamp: ms, message }));
      const rejected = rejectedOf(await this.#service.put(group, stream, list, signal), events.length);
      for (const [i, why] of rejected) failed.set(events[i]!.at, { action: "reject", reason: why });
      if (rejected.size < events.length) onStored();
    } catch (error) {
      if (!is(error, "InvalidParameterException")) throw error;
      if (events.length === 1) {
        const { reason } = this.#service.connection.failure(error);
        failed.set(events[0]!.at, { action: "reject", reason });
        return;
      }
      const half = Math.floor(events.length / 2);
      await this.#put(group, stream, events.slice(0, half), failed, signal, onStored);
      await this.#put(group, stream, events.slice(half), failed, signal, onStored);
    }
  }
}
