import { setTimeout as sleep } from "node:timers/promises";
import type { Assemble, ObjectOutput } from "../api/output.ts";
import type { OutputStatus } from "../api/status.ts";
import type { Place } from "../queue/types.ts";
import { precedes } from "./chunk.ts";
import { type Lane, type LaneParts, messageOf, skipTo, statusOf } from "./lane.ts";
import type { StoredLedger } from "./lane-ledger.ts";
import { ObjectWrite, planId, type Settlement } from "./object-write.ts";
import { type Group, Grouper, partitionKey } from "./objects.ts";

/** A plan as the cursor record keeps it. */
interface StoredPlan {
  readonly partition: string;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly records: number;
  readonly bytes: number;
  readonly first: string;
  readonly last: string;
  readonly note: string;
  readonly youngest: number;
}

/** The object lane's part of the cursor record. */
export interface StoredObjects {
  readonly ledger: StoredLedger;
  readonly skipping?: boolean;
  /** Hash of the output's options: another path or partition makes plan and marks meaningless. */
  readonly options: string;
  /** The write under way, stored before it began. */
  readonly plan?: StoredPlan;
  /** By partition key: settled up to there, where that is beyond the cursor. */
  readonly done: readonly (readonly [string, number, number])[];
}

const SEQ_START = (place: Place): Place => ({ seq: place.seq, index: 0 });

/**
 * A lane for outputs that write whole objects. It groups records by partition, stores the plan before each write, and writes the same
 * plan again after a crash. One write at a time, in order.
 */
export class ObjectLane implements Lane {
  readonly alias: string;
  readonly #parts: LaneParts;
  readonly #output: ObjectOutput;
  readonly #options: string;
  readonly #grouper: Grouper;
  readonly #stop = new AbortController();
  readonly #done = new Map<string, Place>();
  /** Settled records per block at or after the cursor: `ledger.ahead` is their sum, as far as they were met since the start. */
  readonly #ahead = new Map<number, number>();
  #stored: StoredPlan | undefined;
  #writing: { group: Group; abort: AbortController; dropped: boolean } | undefined;
  /** The plan of a write that was interrupted is still the plan. */
  #begun: { group: Group; plan: StoredPlan } | undefined;
  #flushing = false;
  #dropTo: Place | undefined;
  #from: Place;
  #wakers: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(
    parts: LaneParts,
    output: ObjectOutput,
    assemble: Assemble,
    options: string,
    stored: StoredObjects | undefined,
  ) {
    this.alias = parts.alias;
    this.#parts = parts;
    this.#output = output;
    this.#options = options;
    this.#from = parts.reader.cursor;
    if (stored?.options === options) {
      this.#stored = stored.plan;
      for (const [key, seq, index] of stored.done) this.#done.set(key, { seq, index });
    } else if (stored !== undefined) {
      // Under other options nobody can tell what is settled beyond the cursor: it goes again.
      parts.ledger.forget(parts.ledger.ahead);
    }
    this.#grouper = new Grouper(
      (batch, index) => output.partition(batch, index),
      assemble,
      this.#done,
      (seq, records) => this.#ahead.set(seq, (this.#ahead.get(seq) ?? 0) + records),
    );
  }

  run(): Promise<void> {
    this.#running = this.#loop();
    return this.#running;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#step(signal);
      } catch (error) {
        this.#parts.health.failed("degraded", messageOf(error));
        await this.#parts.health.enter(signal);
        this.#parts.health.left();
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { reader, clock } = this.#parts;
    if (this.#stored) return this.#repeat(this.#stored);
    if (this.#dropTo) return this.#makeRoom(this.#dropTo);
    const due = this.#grouper.ripen(clock.monotonic(), this.#flushing);
    const group = this.#grouper.ready[0];
    if (group) {
      const begun = this.#begun?.group === group ? this.#begun.plan : undefined;
      const plan = begun ?? (await this.#plan(group));
      this.#begun = { group, plan };
      return this.#write(group, plan, begun !== undefined);
    }
    const next = reader.next();
    const block = next instanceof Promise ? await next : next;
    if (block !== undefined) {
      this.#grouper.add(block, block.seq === this.#from.seq ? this.#from.index : 0, clock.monotonic());
      return;
    }
    if (this.#grouper.open.size === 0) {
      if (precedes(reader.cursor, reader.position)) await this.#commit();
      this.#wake();
    }
    await this.#waitUntil(due, signal);
  }

  /** Waits for the queue, for the next group to come of age, or to be asked for a flush or room. */
  async #waitUntil(due: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const either = new AbortController();
    const stop = () => either.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#wakers.push(stop);
    const waits: Promise<unknown>[] = [this.#parts.reader.wait(either.signal)];
    if (due !== Number.POSITIVE_INFINITY) {
      const ms = Math.max(0, due - this.#parts.clock.monotonic());
      waits.push(sleep(ms, undefined, { signal: either.signal }).catch(() => {}));
    }
    if (!(this.#flushing && this.#grouper.open.size > 0)) await Promise.race(waits);
    stop();
    signal.removeEventListener("abort", stop);
  }

  async #plan(group: Group): Promise<StoredPlan> {
    const { partition, records, bytes, first, last, from, to, youngest } = group;
    const note = (await this.#output.prepare?.({ id: planId(group), partition, records, first, last })) ?? "";
    const plan: StoredPlan = {
      partition,
      from: [from.seq, from.index],
      to: [to.seq, to.index],
      records,
      bytes,
      first,
      last,
      note,
      youngest,
    };
    await this.#parts.reader.commit(this.#cursor(), this.#data(plan), { sync: true });
    return plan;
  }

  /** After a restart: the write that was under way, once more. */
  async #repeat(stored: StoredPlan): Promise<void> {
    const from = { seq: stored.from[0], index: stored.from[1] };
    const to = { seq: stored.to[0], index: stored.to[1] };
    const { partition, records, bytes, first, last, youngest } = stored;
    const group: Group = {
      partition,
      from,
      to,
      records,
      bytes,
      first,
      last,
      youngest,
      openedAt: 0,
      perBlock: new Map(),
    };
    await this.#write(group, stored, true);
  }

  /** Writes until it is settled. The group is `ready[0]`, or comes from before the restart. */
  async #write(group: Group, plan: StoredPlan, repeated: boolean): Promise<void> {
    const writing = { group, abort: new AbortController(), dropped: false };
    this.#writing = writing;
    const write = new ObjectWrite(this.#parts, this.#output, group, plan.note, () => this.#wake());
    try {
      const counts = await write.run(repeated, this.#stop.signal, writing.abort.signal, () => writing.dropped);
      if (counts) await this.#settle(group, plan, counts);
    } finally {
      this.#writing = undefined;
    }
  }

  async #settle(group: Group, plan: StoredPlan, counts: Settlement): Promise<void> {
    this.#parts.ledger.settle(counts);
    this.#parts.ledger.ahead += group.records;
    if (this.#stored === plan) {
      // Its records are met, and counted by block, when reading goes on from the cursor.
      this.#stored = undefined;
    } else {
      this.#grouper.ready.shift();
      this.#countAhead(group);
    }
    this.#done.set(partitionKey(group.partition), group.to);
    await this.#commit();
    this.#wake();
  }

  #countAhead(group: Group): void {
    for (const [seq, records] of group.perBlock) this.#ahead.set(seq, (this.#ahead.get(seq) ?? 0) + records);
  }

  /** Everything before it is settled. Always the start of a block, so that `ahead` counts whole blocks. */
  #cursor(): Place {
    const { reader } = this.#parts;
    let cursor = this.#grouper.earliest() ?? reader.position;
    if (this.#stored && this.#stored.from[0] < cursor.seq) cursor = { seq: this.#stored.from[0], index: 0 };
    return precedes(reader.cursor, SEQ_START(cursor)) ? SEQ_START(cursor) : reader.cursor;
  }

  #data(plan?: StoredPlan): StoredObjects {
    const cursor = this.#cursor();
    for (const [key, place] of this.#done) if (!precedes(cursor, place)) this.#done.delete(key);
    const done = [...this.#done].map(([key, place]) => [key, place.seq, place.index] as const);
    return { ledger: this.#parts.ledger.stored(), options: this.#options, done, ...(plan ? { plan } : {}) };
  }

  async #commit(): Promise<void> {
    const cursor = this.#cursor();
    for (const [seq, records] of this.#ahead) {
      if (seq >= cursor.seq) continue;
      this.#ahead.delete(seq);
      this.#parts.ledger.ahead -= records;
    }
    this.#parts.ledger.passTo(cursor.seq);
    await this.#parts.reader.commit(cursor, this.#data(this.#stored));
  }

  drop(to: Place): void {
    if (this.#dropTo && !precedes(this.#dropTo, to)) return;
    this.#dropTo = to;
    if (this.#writing) {
      // Also where it is a younger group that is being written: the older ones cannot be dropped beside it.
      this.#writing.dropped = precedes(this.#writing.group.from, to);
      this.#writing.abort.abort();
    }
    this.#wake();
  }

  async #makeRoom(to: Place): Promise<void> {
    this.#dropTo = undefined;
    const { reader, ledger, emit } = this.#parts;
    // Groups that reach into what is dropped go whole; their records after `to` are met again and counted as settled.
    for (const group of [...this.#grouper.open.values()]) if (precedes(group.from, to)) this.#grouper.complete(group);
    for (const group of this.#grouper.ready.filter((g) => precedes(g.from, to))) {
      this.#grouper.ready.splice(this.#grouper.ready.indexOf(group), 1);
      const reason = "queue full, on_full: drop_oldest";
      emit({ is: "lost", where: "output", name: this.alias, records: group.records, bytes: group.bytes, reason });
      ledger.settle({ lost: group.records });
      ledger.ahead += group.records;
      this.#countAhead(group);
      this.#done.set(partitionKey(group.partition), group.to);
    }
    await this.#commit();
    if (!precedes(reader.position, to)) return;
    reader.seek(to);
    this.#from = to;
    await skipTo(to, this.#data(), this.alias, reader, ledger, emit);
  }

  async drained(signal: AbortSignal): Promise<void> {
    this.#flushing = true;
    this.#wake();
    await this.#until(() => this.#idle() || this.#parts.health.failing, signal);
  }

  async settled(signal: AbortSignal): Promise<void> {
    this.#flushing = true;
    this.#wake();
    await this.#until(() => this.#idle(), signal);
  }

  #idle(): boolean {
    return !this.#stored && this.#parts.ledger.now().queued <= 0;
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition() && !signal.aborted && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wakers.push(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
    this.#parts.health.stopped();
    await this.#output.close();
    await this.#parts.reader.close();
  }

  status(): OutputStatus {
    return statusOf(this.#parts, this.#writing ? 1 : 0);
  }
}
