/** Plays the lane around an output: as little of one as the contract needs, without timers of its own. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { RecordBatch } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Failure, ObjectOutput, ObjectPlan, Output, WriteResult } from "../../agent/api/output.ts";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";

/** Longest wait for anything that should happen at once. */
const PATIENCE_MS = 15_000;

/** Rejects where a promise does not settle in time: an output that hangs fails its scenario by name instead of the whole run. */
export async function within<T>(what: string, promise: Promise<T>, ms = PATIENCE_MS): Promise<T> {
  const timer = new AbortController();
  const late = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what}: nothing happened for ${ms} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

/** Waits until the condition holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = PATIENCE_MS): Promise<void> {
  for (const end = performance.now() + ms; !(await holds()); await delay(5)) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
  }
}

/** One write: the same plan again is the same write again, as after a crash. */
export interface Shipment {
  readonly batches: readonly RecordBatch[];
  readonly parts: readonly {
    readonly plan: Omit<ObjectPlan, "repeat">;
    readonly batches: readonly RecordBatch[];
    readonly indexes: readonly number[];
  }[];
}

let plans = 0;

export class TestLane {
  readonly output: Output | ObjectOutput;
  /** Everything the output said: events, results, errors. For the search for secrets. */
  readonly said: string[];
  /** What no scenario may forgive. */
  readonly breaches: string[];

  constructor(output: Output | ObjectOutput, said: string[], breaches: string[]) {
    this.output = output;
    this.said = said;
    this.breaches = breaches;
  }

  static async open(
    definition: AnyOutputDefinition,
    options: Record<string, unknown>,
    said: string[],
    breaches: string[],
  ): Promise<TestLane> {
    const parsed = definition.options.parse(options);
    const output = await definition.create(parsed, {
      alias: "under_test",
      node: "test-node",
      version: "0.0.0",
      clock: systemClock,
      fields: new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]),
      emit: (event: AgentEvent) => void said.push(inspect(event, { depth: 8 })),
    });
    return new TestLane(output, said, breaches);
  }

  /** Decides a write, as the lane does before making it: for object outputs, records are grouped by partition. */
  async plan(batches: readonly RecordBatch[]): Promise<Shipment> {
    const id = `plan-${process.pid}-${++plans}`;
    const groups = new Map<string, { batches: RecordBatch[]; indexes: number[] }>();
    let from = 0;
    for (const batch of batches) {
      for (const [partition, rows] of this.#rows(batch)) {
        let group = groups.get(partition);
        if (!group) {
          group = { batches: [], indexes: [] };
          groups.set(partition, group);
        }
        group.batches.push(batch.select(Uint32Array.from(rows), rows.length));
        group.indexes.push(...rows.map((row) => from + row));
      }
      from += batch.count;
    }
    const parts: Shipment["parts"][number][] = [];
    for (const [partition, group] of groups) {
      const last = group.batches.at(-1)!;
      const plan = {
        id: `${id}-${parts.length}`,
        partition,
        first: group.batches[0]!.id(0),
        last: last.id(last.count - 1),
        records: group.indexes.length,
      };
      const note = "prepare" in this.output ? ((await this.output.prepare?.(plan)) ?? "") : "";
      parts.push({ ...group, plan: { ...plan, note } });
    }
    return { batches, parts };
  }

  #rows(batch: RecordBatch): Map<string, number[]> {
    const rows = new Map<string, number[]>();
    if (!("writeObject" in this.output)) return rows;
    for (let i = 0; i < batch.count; i++) {
      const partition = this.output.partition(batch, i);
      const known = rows.get(partition);
      if (known) known.push(i);
      else rows.set(partition, [i]);
    }
    return rows;
  }

  /**
   * Makes the write. The records' bytes must be the same afterwards, or it is a breach; and once it has settled they are overwritten, as
   * the queue uses their memory again: what an output still sends of them then arrives as `~~~~`.
   */
  async send(shipment: Shipment, repeat = false, signal = new AbortController().signal): Promise<WriteResult> {
    const batches = shipment.batches.map(copy);
    const parts = shipment.parts.map((part) => ({ ...part, batches: part.batches.map(copy) }));
    const handed = [...batches, ...parts.flatMap((part) => part.batches)];
    const before = handed.map(fingerprint);
    try {
      const result = await this.#write({ batches, parts }, repeat, signal);
      this.said.push(inspect(result, { depth: 8 }));
      return result;
    } catch (error) {
      this.said.push(inspect(error, { depth: 8 }));
      throw error;
    } finally {
      for (const [i, batch] of handed.entries()) {
        if (fingerprint(batch) !== before[i]) this.breaches.push("the output changed the records' own bytes");
        batch.buffer.fill("~");
      }
    }
  }

  async #write(shipment: Shipment, repeat: boolean, signal: AbortSignal): Promise<WriteResult> {
    const { output } = this;
    if ("write" in output) return await output.write(shipment.batches, { id: `plan-${++plans}`, repeat }, signal);
    const failed = new Map<number, Failure>();
    const sum: { refused?: string; blocked?: string; pauseMs?: number; repeated?: number } = {};
    for (const { plan, batches, indexes } of shipment.parts) {
      const result = await output.writeObject(iterable(batches), { ...plan, repeat }, signal);
      // An object is stored whole or not at all: what holds one record back holds back all.
      const held = [...(result.failed?.values() ?? [])].find(({ action }) => action !== "reject");
      if (held) for (const index of indexes) failed.set(index, held);
      else for (const [index, failure] of result.failed ?? []) failed.set(indexes[index]!, failure);
      const { failed: _, ...rest } = result;
      Object.assign(sum, rest);
    }
    return { ...sum, failed };
  }

  async write(batches: readonly RecordBatch[], signal?: AbortSignal): Promise<WriteResult> {
    return await within("write", this.send(await this.plan(batches), false, signal));
  }

  /** Writes until everything is stored or rejected. Answers the indexes of the rejected, with their reasons. */
  async deliver(batch: RecordBatch, attempts = 50): Promise<Map<number, string>> {
    const rejected = new Map<number, string>();
    let waiting = Array.from({ length: batch.count }, (_, i) => i);
    for (let attempt = 1; waiting.length > 0; attempt++) {
      if (attempt > attempts) throw new Error(`${waiting.length} records not settled after ${attempts} attempts`);
      const rows = waiting;
      const part = batch.select(Uint32Array.from(rows), rows.length);
      const shipment = await this.plan([part]);
      const result = await within("write", this.send(shipment, attempt > 1)).catch(() => undefined);
      if (result === undefined || result.blocked !== undefined) {
        await delay(10);
        continue;
      }
      if (result.refused !== undefined) {
        // Halved to the end: a record refused all by itself is refused for good.
        for (const row of rows) {
          if (rows.length === 1) rejected.set(row, result.refused);
          else
            for (const reason of (await this.deliver(batch.select(Uint32Array.of(row), 1), attempts)).values())
              rejected.set(row, reason);
        }
        return rejected;
      }
      waiting = [];
      for (const [index, { action, reason }] of result.failed ?? []) {
        if (action === "reject") rejected.set(rows[index]!, reason);
        else waiting.push(rows[index]!);
      }
      if (waiting.length > 0) await delay(10);
    }
    return rejected;
  }

  async close(): Promise<void> {
    await within("close", this.output.close());
  }
}

function copy(batch: RecordBatch): RecordBatch {
  return new RecordBatch({ ...batch, buffer: Buffer.from(batch.buffer) });
}

function fingerprint(batch: RecordBatch): string {
  const hash = createHash("sha256").update(batch.buffer);
  for (const array of [batch.starts, batch.ends, batch.offsets]) hash.update(new Uint8Array(array.buffer));
  return hash.digest("hex");
}

function iterable(batches: readonly RecordBatch[]): AsyncIterable<RecordBatch> {
  return {
    async *[Symbol.asyncIterator]() {
      yield* batches;
    },
  };
}
