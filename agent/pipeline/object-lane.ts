import type { Assemble, ObjectOutput } from "../api/output.ts";
import type { OutputStatus } from "../api/status.ts";
import type { Place } from "../queue/types.ts";
import { closeOutput, DROPPED, type Lane, type LaneParts, messageOf, skipTo, statusOf } from "./lane.ts";
import type { LaneHealth } from "./lane-health.ts";
import { precedes } from "./lane-ledger.ts";
import { checkNote, groupOf, Marks, MOST_MARKS, partitionOf, planOf, type StoredObjects } from "./object-plan.ts";
import { ObjectWrite, planId } from "./object-write.ts";
import { type Group, Grouper } from "./objects.ts";
import { Bell, limited, orAbort, sleep } from "./waiting.ts";

/** An object of so many bytes at most is a small one. */
const SMALL_BYTES = 4 * 1024 * 1024;

/** The one plan in the cursor record: its write has begun, or is about to. */
interface Planned {
  readonly group: Group;
  readonly note: string;
  /** The write has begun before: in this run, or in the one before. */
  begun: boolean;
}

interface Writing {
  readonly group: Group;
  readonly abort: AbortController;
  dropped: boolean;
}

export interface ObjectLaneOptions {
  readonly assemble: Assemble;
  /** Hash of what decides which record belongs to which object. */
  readonly options: string;
  /** After so many attempts an object's records become dead letters; undefined: never. */
  readonly attempts: number | undefined;
}

/**
 * A lane for outputs that write whole objects. It groups records by partition, stores the plan before each write, and writes the same
 * plan again after a crash. One write at a time; of what is complete, what begins first.
 */
export class ObjectLane implements Lane {
  readonly alias: string;
  readonly #parts: LaneParts;
  readonly #output: ObjectOutput;
  readonly #options: ObjectLaneOptions;
  readonly #grouper: Grouper;
  readonly #stop = new AbortController();
  readonly #bell = new Bell();
  readonly #marks: Marks;
  #planned: Planned | undefined;
  #writing: Writing | undefined;
  /** A drop has moved the reader over records that are not yet counted as lost. */
  #skipped = false;
  #flushing = false;
  #dropTo: Place | undefined;
  /** Where reading began: the first block may have to be entered in its middle. */
  #from: Place;
  /** Of small objects the blocks stay in memory until they are written. */
  readonly #heldBytes: number;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: LaneParts, output: ObjectOutput, options: ObjectLaneOptions, stored: StoredObjects | undefined) {
    this.alias = parts.alias;
    this.#parts = parts;
    this.#output = output;
    this.#options = options;
    this.#from = parts.reader.cursor;
    this.#heldBytes = options.assemble.bytes <= SMALL_BYTES ? 2 * SMALL_BYTES : 0;
    const known = stored?.options === options.options ? stored : undefined;
    // Under other options nobody can tell what is settled beyond the cursor: it goes again.
    if (stored !== undefined && known === undefined) parts.ledger.forgetAhead();
    this.#marks = Marks.read(known?.done ?? []);
    if (known?.plan) this.#planned = { group: groupOf(known.plan), note: known.plan.note, begun: true };
    this.#grouper = new Grouper(
      (batch, index) => partitionOf(output, batch, index),
      options.assemble,
      this.#marks,
      (seq, records) => parts.ledger.meet(seq, records),
    );
  }

  run(): Promise<void> {
    this.#running = this.#loop();
    return this.#running;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    // As for a stream lane: where the account begins must outlive a run in which nothing is settled.
    if (this.#parts.ledger.anew) await this.#commit().catch(() => undefined);
    while (!signal.aborted) {
      await this.#step(signal).catch((error: unknown) => {
        this.#bell.ring();
        return this.#parts.health.stumble(messageOf(error), signal);
      });
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { reader, clock } = this.#parts;
    if (this.#dropTo) return this.#makeRoom(this.#dropTo);
    // A skip that could not be saved: no other record may be, before what it skipped is counted.
    if (this.#skipped) return this.#commit();
    if (this.#planned) return this.#write(this.#planned);
    const due = this.#grouper.ripen(clock.monotonic(), this.#marks.size > MOST_MARKS);
    const group = this.#grouper.first();
    if (group) return this.#plan(group, signal);
    if (await this.#read(Number.POSITIVE_INFINITY)) return;
    // Only now: flushed while there is more to read, each block would become an object of its own.
    if (this.#flushing && this.#grouper.open.size > 0) return void this.#grouper.ripen(clock.monotonic(), true);
    if (this.#grouper.open.size === 0) {
      if (precedes(reader.cursor, reader.position)) await this.#commit();
      this.#bell.ring();
    }
    await this.#waitUntil(due, signal);
  }

  /** Takes the next block in, if there is one before block `limit`. */
  async #read(limit: number): Promise<boolean> {
    const { reader, clock } = this.#parts;
    const next = reader.next();
    const block = next instanceof Promise ? await next : next;
    if (block === undefined) return false;
    try {
      if (block.seq < limit) {
        this.#grouper.add(block, block.seq === this.#from.seq ? this.#from.index : 0, clock.monotonic());
        reader.holdAtMost(this.#heldBytes);
        return true;
      }
    } catch (error) {
      this.#backTo(block.seq);
      throw error;
    }
    this.#backTo(block.seq);
    return false;
  }

  /** The block was not taken in: it is read again. */
  #backTo(seq: number): void {
    this.#parts.reader.seek(seq === this.#from.seq ? this.#from : { seq, index: 0 });
  }

  /** Waits for the queue, for the next group to come of age, or to be asked for a flush or room. */
  async #waitUntil(due: number, signal: AbortSignal): Promise<void> {
    // Asked while the last look at the queue was under way: nobody would ring again.
    if (signal.aborted || this.#dropTo || (this.#flushing && this.#grouper.open.size > 0)) return;
    const { reader, clock } = this.#parts;
    const either = new AbortController();
    const stop = () => either.abort();
    signal.addEventListener("abort", stop, { once: true });
    const waits = [reader.wait(either.signal), this.#bell.wait(either.signal)];
    if (due !== Number.POSITIVE_INFINITY) waits.push(sleep(due - clock.monotonic(), either.signal));
    await Promise.race(waits);
    stop();
    signal.removeEventListener("abort", stop);
  }

  /** Stores the plan of a write before the first byte of it goes out. */
  async #plan(group: Group, signal: AbortSignal): Promise<void> {
    const { partition, records, first, last } = group;
    const limit = limited(signal, this.#parts.timeoutMs);
    let note = "";
    try {
      const prepared = this.#output.prepare?.({ id: planId(group), partition, records, first, last });
      if (prepared !== undefined) note = checkNote(await orAbort(prepared, limit.signal));
    } finally {
      limit.end();
    }
    const planned = { group, note, begun: false };
    const cursor = this.#cursor();
    await this.#parts.reader.commit(cursor, this.#data(cursor, planned), { sync: true });
    this.#planned = planned;
  }

  /** Writes until it is settled, or interrupted to make room. */
  async #write(planned: Planned): Promise<void> {
    const { group, note, begun } = planned;
    const writing = { group, abort: new AbortController(), dropped: false };
    if (this.#stop.signal.aborted) return;
    this.#writing = writing;
    planned.begun = true;
    const { attempts } = this.#options;
    const write = new ObjectWrite(this.#parts, this.#output, {
      group,
      note,
      attempts,
      onFailure: () => this.#bell.ring(),
    });
    const written = new AbortController();
    const reading = this.#readAhead(group, written.signal);
    try {
      const settled = await write
        .run(begun, writing.abort.signal, () => writing.dropped)
        .finally(async () => {
          written.abort();
          // The reader may have passed a block that is not taken in yet: no cursor may be told before it is.
          await reading;
        });
      if (settled === undefined) return;
      this.#parts.ledger.settle(settled.counts, group.perBlock && settled.perBlock);
      this.#settled(group);
    } finally {
      this.#writing = undefined;
    }
    await this.#commit();
    this.#bell.ring();
  }

  /**
   * Takes blocks in while `group` is written, until the next one is complete: they are still in memory now. Not beside a group from before
   * a restart: until that is settled its records cannot be told from new ones.
   */
  async #readAhead(group: Group, until: AbortSignal): Promise<void> {
    if (group.perBlock === undefined) return;
    try {
      while (!until.aborted && !this.#dropTo && this.#grouper.ready.every((ready) => ready === group)) {
        if (!(await this.#read(Number.POSITIVE_INFINITY))) await this.#parts.reader.wait(until);
      }
    } catch {
      // Met again, and said, when it is this block's turn.
    }
  }

  #settled(group: Group): void {
    this.#grouper.remove(group);
    this.#marks.settled(group.partition, group.to);
    if (this.#planned?.group === group) this.#planned = undefined;
  }

  /** Everything before it is settled. */
  #cursor(): Place {
    const { reader } = this.#parts;
    let cursor = reader.position;
    const earliest = this.#grouper.earliest();
    if (earliest && precedes(earliest, cursor)) cursor = earliest;
    if (this.#planned && precedes(this.#planned.group.from, cursor)) cursor = this.#planned.group.from;
    return precedes(reader.cursor, cursor) ? cursor : reader.cursor;
  }

  #data(cursor: Place, planned: Planned | undefined): StoredObjects {
    const { ledger } = this.#parts;
    return {
      ledger: ledger.stored(cursor),
      options: this.#options.options,
      done: this.#marks.stored(cursor),
      ...(planned ? { plan: planOf(planned.group, planned.note) } : {}),
    };
  }

  async #commit(): Promise<void> {
    const { reader } = this.#parts;
    const cursor = this.#cursor();
    const data = (at: Place) => this.#data(at, this.#planned);
    if (this.#skipped) await skipTo(cursor, data, this.#parts);
    else await reader.commit(cursor, data(cursor));
    this.#skipped = false;
    this.#marks.passed(reader.cursor);
  }

  drop(to: Place): void {
    if (this.#dropTo && !precedes(this.#dropTo, to)) return;
    this.#dropTo = to;
    if (this.#writing) {
      // Also where it is a younger group that is being written: the older ones cannot be dropped beside it.
      this.#writing.dropped = precedes(this.#writing.group.from, to);
      this.#writing.abort.abort();
    }
    this.#bell.ring();
  }

  async #makeRoom(to: Place): Promise<void> {
    const { reader } = this.#parts;
    if (this.#planned && precedes(this.#planned.group.from, to)) this.#giveUp(this.#planned.group);
    // After a restart some of what lies ahead is settled already: to tell how many, it must be met.
    while (precedes(reader.position, to) && this.#marks.reachBeyond(reader.position)) {
      if (!(await this.#read(to.seq))) break;
    }
    for (const group of this.#grouper.all()) if (precedes(group.from, to)) this.#giveUp(group);
    if (precedes(reader.position, to)) {
      reader.seek(to);
      this.#from = to;
      this.#skipped = true;
    }
    if (this.#dropTo === to) this.#dropTo = undefined;
    await this.#commit();
    this.#bell.ring();
  }

  /** A group goes whole, also where it reaches beyond what must be dropped. */
  #giveUp(group: Group): void {
    const { emit, ledger } = this.#parts;
    const { records, bytes } = group;
    emit({ is: "lost", where: "output", name: this.alias, records, bytes, reason: DROPPED });
    ledger.settle({ lost: records }, group.perBlock);
    this.#settled(group);
  }

  drained(signal: AbortSignal): Promise<void> {
    this.#flush();
    return this.#bell.until(() => this.#idle() || this.#parts.health.resting, signal, this.#stop.signal);
  }

  settled(signal: AbortSignal): Promise<void> {
    this.#flush();
    return this.#bell.until(() => this.#idle(), signal, this.#stop.signal);
  }

  #flush(): void {
    this.#flushing = true;
    this.#bell.ring();
  }

  #idle(): boolean {
    return !this.#planned && this.#parts.ledger.now().queued <= 0;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#writing?.abort.abort();
    this.#bell.ring();
    await this.#running;
    this.#parts.health.stopped();
    try {
      await closeOutput(this.#output);
    } finally {
      await this.#parts.reader.close();
    }
  }

  get health(): LaneHealth {
    return this.#parts.health;
  }

  status(): OutputStatus {
    return statusOf(this.#parts, this.#writing ? 1 : 0);
  }
}
