import type { RecordBatch } from "../api/batch.ts";
import type { ObjectOutput, WriteResult } from "../api/output.ts";
import type { QueueReader } from "../queue/types.ts";
import { bury, type LaneParts, limited, messageOf, orAbort } from "./lane.ts";
import { type Group, partitionKey } from "./objects.ts";

/** What became of an object's records. */
export interface Settlement {
  readonly delivered?: number;
  readonly rejected?: number;
  readonly lost?: number;
}

interface Trouble {
  readonly state: "degraded" | "blocked";
  readonly reason: string;
  readonly pauseMs?: number | undefined;
}

/** The same for the same records, whoever asks and when. */
export function planId(group: Pick<Group, "partition" | "from" | "to">): string {
  const { from, to, partition } = group;
  return `${from.seq}.${from.index}-${to.seq}.${to.index}-${partitionKey(partition)}`;
}

/** The group's records, read again from the queue: a batch a block. */
export async function* recordsOf(
  group: Group,
  reader: QueueReader,
  output: ObjectOutput,
): AsyncGenerator<{ seq: number; batch: RecordBatch }> {
  const { from, to, partition } = group;
  for await (const { seq, batch } of reader.range(from, to)) {
    const first = seq === from.seq ? from.index : 0;
    const last = seq === to.seq ? to.index : batch.count;
    const keep = new Uint32Array(Math.max(0, last - first));
    let count = 0;
    for (let index = first; index < last; index++) {
      if (output.partition(batch, index) === partition) keep[count++] = index;
    }
    if (count > 0) yield { seq, batch: batch.select(keep, count) };
  }
}

/** One object's way to its destination: attempts until it is stored, given up, or the lane stops. */
export class ObjectWrite {
  readonly #parts: LaneParts;
  readonly #output: ObjectOutput;
  readonly #group: Group;
  readonly #note: string;
  readonly #onFailure: () => void;

  constructor(parts: LaneParts, output: ObjectOutput, group: Group, note: string, onFailure: () => void) {
    this.#parts = parts;
    this.#output = output;
    this.#group = group;
    this.#note = note;
    this.#onFailure = onFailure;
  }

  /** Undefined where the lane stopped or interrupted it first. `repeated`: the same plan was begun before. */
  async run(
    repeated: boolean,
    stop: AbortSignal,
    abort: AbortSignal,
    dropped: () => boolean,
  ): Promise<Settlement | undefined> {
    const { health, emit, alias } = this.#parts;
    const { records } = this.#group;
    for (let attempts = 1; !stop.aborted; attempts++) {
      await health.enter(AbortSignal.any([stop, abort]));
      if (stop.aborted) return undefined;
      if (this.#givenUp(dropped())) {
        health.left();
        return { lost: records };
      }
      if (abort.aborted) {
        health.left();
        return undefined;
      }
      const outcome = await this.#attempt(repeated || attempts > 1, attempts, [stop, abort]);
      if (outcome === "aborted") {
        health.left();
        continue;
      }
      if ("state" in outcome) {
        const delayMs = health.failed(outcome.state, outcome.reason, outcome.pauseMs);
        emit({ is: "retry", output: alias, records, attempt: attempts, delayMs, reason: outcome.reason });
        this.#onFailure();
        continue;
      }
      health.ok();
      return outcome;
    }
    return undefined;
  }

  async #attempt(repeat: boolean, attempts: number, signals: AbortSignal[]): Promise<Settlement | Trouble | "aborted"> {
    const { emit, clock, timeoutMs, alias } = this.#parts;
    const { partition, first, last, records, bytes } = this.#group;
    const begun = clock.monotonic();
    const plan = { id: planId(this.#group), repeat, partition, first, last, records, note: this.#note };
    const limit = limited(signals, timeoutMs);
    try {
      const batches = { [Symbol.asyncIterator]: () => this.#read() };
      const result = await orAbort(this.#output.writeObject(batches, plan, limit.signal), limit.signal);
      const trouble = troubleOf(result);
      if (trouble) return trouble;
      const reasons = new Map([...(result.failed ?? [])].map(([index, failure]) => [index, failure.reason]));
      if (reasons.size > 0) await this.#bury(reasons, attempts);
      const delivered = records - reasons.size;
      emit({ is: "delivered", output: alias, records: delivered, bytes, ms: clock.monotonic() - begun });
      if (result.repeated) emit({ is: "repeated", output: alias, records: result.repeated });
      return { delivered, rejected: reasons.size };
    } catch (error) {
      if (limit.timedOut()) return { state: "degraded", reason: `no answer within ${timeoutMs} ms` };
      if (limit.signal.aborted) return "aborted";
      return { state: "degraded", reason: messageOf(error) };
    } finally {
      limit.end();
    }
  }

  async *#read(): AsyncGenerator<RecordBatch> {
    for await (const { batch } of recordsOf(this.#group, this.#parts.reader, this.#output)) yield batch;
  }

  async #bury(reasons: ReadonlyMap<number, string>, attempts: number): Promise<void> {
    let first = 0;
    for await (const batch of this.#read()) {
      const here = [...reasons].filter(([index]) => index >= first && index < first + batch.count);
      await bury(this.#parts, [batch], new Map(here.map(([index, reason]) => [index - first, reason])), attempts);
      first += batch.count;
    }
  }

  /** The queue needs the room, or the records are too old: said, and counted by the caller. */
  #givenUp(dropped: boolean): boolean {
    const { maxAgeMs, clock, emit, alias } = this.#parts;
    const { youngest, records, bytes } = this.#group;
    if (!dropped && (maxAgeMs === undefined || youngest >= clock.now() - maxAgeMs)) return false;
    const reason = dropped ? "queue full, on_full: drop_oldest" : "older than queue.max_age";
    emit({ is: "lost", where: "output", name: alias, records, bytes, reason });
    return true;
  }
}

/** An object is stored whole or not at all: records that may be retried make the whole object wait. */
function troubleOf(result: WriteResult): Trouble | undefined {
  const { blocked, refused, failed, pauseMs } = result;
  if (blocked !== undefined) return { state: "blocked", reason: blocked, pauseMs };
  if (refused !== undefined) return { state: "blocked", reason: refused, pauseMs };
  for (const failure of failed?.values() ?? []) {
    if (failure.action === "reject") continue;
    return { state: failure.action === "block" ? "blocked" : "degraded", reason: failure.reason, pauseMs };
  }
  return undefined;
}
