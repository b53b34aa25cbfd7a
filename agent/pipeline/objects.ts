import type { RecordBatch } from "../api/batch.ts";
import type { Assemble } from "../api/output.ts";
import type { Block, Place } from "../queue/types.ts";
import { precedes } from "./lane-ledger.ts";
import { type Marks, partitionKey } from "./object-plan.ts";

/** Records of one partition, in order, that become one object. Holds no bytes: they are read again when it is written. */
export interface Group {
  readonly partition: string;
  readonly from: Place;
  /** After its last record. */
  to: Place;
  records: number;
  bytes: number;
  readonly first: string;
  last: string;
  /** Monotonic milliseconds when its first record was met. */
  readonly openedAt: number;
  /** Write time of its youngest block. */
  youngest: number;
  /** How many of its records each block holds, by block; undefined where the plan is from before a restart. */
  readonly perBlock: Map<number, number> | undefined;
}

/** So many partitions may be open at once; the oldest is written early where one more opens. Keeps the cursor record within its slot. */
export const MAX_OPEN_PARTITIONS = 32;

/** Sorts records into groups by partition, and says which groups are complete. */
export class Grouper {
  readonly #partition: (batch: RecordBatch, index: number) => string;
  readonly #assemble: Assemble;
  /** By partition key: everything before the place is settled already (known from before a restart, or from groups written since). */
  readonly #done: Pick<Marks, "get" | "size">;
  /** Called for records that are settled already. */
  readonly #onSettled: (seq: number, records: number) => void;
  readonly open = new Map<string, Group>();
  /** Complete ones, in the order they were completed. */
  readonly ready: Group[] = [];

  constructor(
    partition: (batch: RecordBatch, index: number) => string,
    assemble: Assemble,
    done: Pick<Marks, "get" | "size">,
    onSettled: (seq: number, records: number) => void,
  ) {
    this.#partition = partition;
    this.#assemble = assemble;
    this.#done = done;
    this.#onSettled = onSettled;
  }

  /** Takes a block's records in, from index `from` on. Where the output cannot tell a partition it throws, and nothing has changed. */
  add(block: Block, from: number, now: number): void {
    const { batch } = block;
    const runs: { partition: string; start: number; end: number }[] = [];
    for (let start = from; start < batch.count; start = runs.at(-1)!.end) {
      const partition = this.#partition(batch, start);
      let end = start + 1;
      while (end < batch.count && this.#partition(batch, end) === partition) end++;
      runs.push({ partition, start, end });
    }
    for (const { partition, start, end } of runs) this.#run(partition, block, start, end, now);
  }

  /** Records `start` to `end` of the block, all of one partition. */
  #run(partition: string, block: Block, start: number, end: number, now: number): void {
    const { batch, seq } = block;
    const done = this.#done.size === 0 ? undefined : this.#done.get(partitionKey(partition));
    let index = start;
    if (done !== undefined && seq <= done.seq) {
      const skipped = Math.min(end, seq < done.seq ? end : done.index) - start;
      if (skipped > 0) {
        this.#onSettled(seq, skipped);
        index += skipped;
      }
    }
    while (index < end) {
      const group = this.open.get(partition) ?? this.#begin(partition, block, index, now);
      const begun = index;
      while (index < end && group.bytes < this.#assemble.bytes) {
        group.bytes += batch.ends[index]! - batch.starts[index]! + 1;
        index++;
      }
      group.to = index === batch.count ? { seq: seq + 1, index: 0 } : { seq, index };
      group.last = batch.id(index - 1);
      group.records += index - begun;
      group.youngest = block.time;
      group.perBlock?.set(seq, (group.perBlock.get(seq) ?? 0) + index - begun);
      if (group.bytes >= this.#assemble.bytes) this.complete(group);
    }
  }

  #begin(partition: string, block: Block, index: number, now: number): Group {
    if (this.open.size >= MAX_OPEN_PARTITIONS) this.complete(this.open.values().next().value!);
    const from = { seq: block.seq, index };
    const first = block.batch.id(index);
    const group: Group = {
      partition,
      from,
      to: from,
      records: 0,
      bytes: 0,
      first,
      last: first,
      openedAt: now,
      youngest: block.time,
      perBlock: new Map(),
    };
    this.open.set(partition, group);
    return group;
  }

  complete(group: Group): void {
    this.open.delete(group.partition);
    this.ready.push(group);
  }

  /** Completes what is old enough, or everything. Returns when the next one will be, monotonic milliseconds. */
  ripen(now: number, all: boolean): number {
    let next = Number.POSITIVE_INFINITY;
    for (const group of [...this.open.values()]) {
      const at = group.openedAt + this.#assemble.ageMs;
      if (all || at <= now) this.complete(group);
      else next = Math.min(next, at);
    }
    return next;
  }

  /** Those not yet settled. */
  all(): Group[] {
    return [...this.open.values(), ...this.ready];
  }

  /** The start of the first group not yet settled; undefined where there is none. */
  earliest(): Place | undefined {
    return firstOf(this.all())?.from;
  }

  /** Of the complete groups the one that begins first: written in this order they let the cursor follow closely. */
  first(): Group | undefined {
    return firstOf(this.ready);
  }

  /** It is settled. */
  remove(group: Group): void {
    const at = this.ready.indexOf(group);
    if (at >= 0) this.ready.splice(at, 1);
    else if (this.open.get(group.partition) === group) this.open.delete(group.partition);
  }
}

function firstOf(groups: readonly Group[]): Group | undefined {
  let first = groups[0];
  for (const group of groups) if (precedes(group.from, first!.from)) first = group;
  return first;
}
