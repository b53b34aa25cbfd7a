import type { RecordBatch } from "../api/batch.ts";
import type { ObjectOutput, WriteResult } from "../api/output.ts";
import type { QueueReader } from "../queue/types.ts";
import { bury, DROPPED, type LaneParts, messageOf } from "./lane.ts";
import { partitionKey, partitionOf } from "./object-plan.ts";
import type { Group } from "./objects.ts";
import { limited, orAbort } from "./waiting.ts";

/** What became of an object's records. */
export interface Settlement {
  readonly counts: { readonly delivered?: number; readonly rejected?: number; readonly lost?: number };
  /** How many records of each block that is. */
  readonly perBlock: ReadonlyMap<number, number>;
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
    // Of another tag, say: no need to ask for each record.
    if (group.perBlock?.has(seq) === false) continue;
    const first = seq === from.seq ? from.index : 0;
    const last = seq === to.seq ? to.index : batch.count;
    if (group.perBlock?.get(seq) === last - first) {
      yield { seq, batch: batch.slice(first, last) };
      continue;
    }
    const keep = new Uint32Array(Math.max(0, last - first));
    let count = 0;
    for (let index = first; index < last; index++) {
      if (partitionOf(output, batch, index) === partition) keep[count++] = index;
    }
    if (count > 0) yield { seq, batch: batch.select(keep, count) };
  }
}

export interface ObjectWriteOptions {
  readonly group: Group;
  readonly note: string;
  readonly attempts: number | undefined;
  /** Called after every failed attempt. */
  readonly onFailure: () => void;
}

/** One object's way to its destination: attempts until it is stored, given up, or the lane stops. */
export class ObjectWrite {
  readonly #parts: LaneParts;
  readonly #output: ObjectOutput;
  readonly #options: ObjectWriteOptions;
  readonly #group: Group;
  /** Records the queue gave, by block, in the last reading that came to the end. */
  #read: ReadonlyMap<number, number> | undefined;

  constructor(parts: LaneParts, output: ObjectOutput, options: ObjectWriteOptions) {
    this.#parts = parts;
    this.#output = output;
    this.#options = options;
    this.#group = options.group;
  }

  /** Undefined where the signal interrupted it first. `repeated`: the same plan was begun before. */
  async run(repeated: boolean, signal: AbortSignal, dropped: () => boolean): Promise<Settlement | undefined> {
    const { health } = this.#parts;
    for (let attempts = 1; ; attempts++) {
      const pass = await health.enter(signal);
      if (this.#givenUp(dropped())) {
        if (pass) health.left(pass);
        return { counts: { lost: this.#group.records }, perBlock: this.#group.perBlock ?? new Map() };
      }
      if (pass === undefined) return undefined;
      const outcome = await this.#attempt(repeated || attempts > 1, attempts, signal);
      if (outcome === "aborted") {
        health.left(pass);
      } else if ("state" in outcome) {
        const { state, reason, pauseMs } = outcome;
        const delayMs = health.failed(pass, state, reason, pauseMs);
        const { records } = this.#group;
        this.#parts.emit({ is: "retry", output: this.#parts.alias, records, attempt: attempts, delayMs, reason });
        this.#options.onFailure();
      } else {
        health.ok(pass);
        return outcome;
      }
    }
  }

  async #attempt(repeat: boolean, attempts: number, signal: AbortSignal): Promise<Settlement | Trouble | "aborted"> {
    const { clock, timeoutMs, reader } = this.#parts;
    const { partition, first, last, records } = this.#group;
    const begun = clock.monotonic();
    const plan = { id: planId(this.#group), repeat, partition, first, last, records, note: this.#options.note };
    const limit = limited(signal, timeoutMs);
    let result: WriteResult | Trouble;
    try {
      const batches = { [Symbol.asyncIterator]: () => this.#records() };
      const write = this.#output.writeObject(batches, plan, limit.signal);
      result = await orAbort(write, limit.signal, (abandoned) => reader.holdWhile(abandoned));
    } catch (error) {
      if (signal.aborted) return "aborted";
      const reason = limit.timedOut() ? `no answer within ${timeoutMs} ms` : messageOf(error);
      result = { state: "degraded", reason };
    } finally {
      limit.end();
    }
    const trouble = "state" in result ? result : troubleOf(result);
    try {
      if (trouble === undefined) return await this.#stored(result as WriteResult, attempts, clock.monotonic() - begun);
      if (attempts < (this.#options.attempts ?? Number.POSITIVE_INFINITY)) return trouble;
      return await this.#buryAll(`gave up after ${attempts} attempts: ${trouble.reason}`, attempts);
    } catch (error) {
      return { state: "degraded", reason: `writing dead letters: ${messageOf(error)}` };
    }
  }

  async #stored(result: WriteResult, attempts: number, ms: number): Promise<Settlement> {
    const { emit, alias } = this.#parts;
    const reasons = new Map([...(result.failed ?? [])].map(([index, { reason }]) => [index, reason]));
    const rejected = reasons.size > 0 ? await this.#bury((index) => reasons.get(index), attempts) : 0;
    // What is damaged in the queue was not delivered, whatever the plan says; the queue tells of it, or told already.
    const perBlock = await this.#given();
    const delivered = sum(perBlock) - rejected;
    this.#tellDamage(perBlock);
    emit({ is: "delivered", output: alias, records: delivered, bytes: this.#group.bytes, ms });
    if (result.repeated) emit({ is: "repeated", output: alias, records: result.repeated });
    return { counts: { delivered, rejected }, perBlock };
  }

  async #buryAll(reason: string, attempts: number): Promise<Settlement> {
    const rejected = await this.#bury(() => reason, attempts);
    const perBlock = await this.#given();
    this.#tellDamage(perBlock);
    return { counts: { rejected }, perBlock };
  }

  /** Records the queue still has, by block; read now where the output found them stored without looking at them. */
  async #given(): Promise<ReadonlyMap<number, number>> {
    while (this.#read === undefined) for await (const _ of this.#records());
    return this.#read;
  }

  /** Records that were whole when they were grouped, and that the queue cannot give back any more: lost. */
  #tellDamage(read: ReadonlyMap<number, number>): void {
    const { ledger, emit, alias } = this.#parts;
    // Those of a plan from before a restart are told when reading comes to their block.
    for (const [seq, expected] of this.#group.perBlock ?? []) {
      const records = expected - (read.get(seq) ?? 0);
      if (records <= 0) continue;
      ledger.missing(seq, records);
      emit({ is: "lost", where: "queue", name: alias, records, bytes: 0, reason: "damaged in the queue" });
    }
  }

  async *#records(): AsyncGenerator<RecordBatch> {
    const read = new Map<number, number>();
    for await (const { seq, batch } of recordsOf(this.#group, this.#parts.reader, this.#output)) {
      read.set(seq, batch.count);
      yield batch;
    }
    this.#read = read;
  }

  /** Keeps the records that have a reason as dead letters; answers how many. */
  async #bury(reasonOf: (index: number) => string | undefined, attempts: number): Promise<number> {
    let first = 0;
    let buried = 0;
    for await (const batch of this.#records()) {
      const reasons = new Map<number, string>();
      for (let at = 0; at < batch.count; at++) {
        const reason = reasonOf(first + at);
        if (reason !== undefined) reasons.set(at, reason);
      }
      await bury(this.#parts, [batch], reasons, attempts);
      buried += reasons.size;
      first += batch.count;
    }
    return buried;
  }

  /** The queue needs the room, or the records are too old: said, and counted by the caller. */
  #givenUp(dropped: boolean): boolean {
    const { maxAgeMs, clock, emit, alias } = this.#parts;
    const { youngest, records, bytes } = this.#group;
    if (!dropped && (maxAgeMs === undefined || youngest >= clock.now() - maxAgeMs)) return false;
    const reason = dropped ? DROPPED : "older than queue.max_age";
    emit({ is: "lost", where: "output", name: alias, records, bytes, reason });
    return true;
  }
}

const sum = (counts: ReadonlyMap<number, number>) => [...counts.values()].reduce((all, count) => all + count, 0);

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
