import { createHash } from "node:crypto";
import type { RecordBatch } from "../api/batch.ts";
import type { Assemble } from "../api/output.ts";
import type { Block, Place } from "../queue/types.ts";
import { precedes } from "./chunk.ts";

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
  /** How many of its records each block holds, by block. */
  readonly perBlock: Map<number, number>;
}

/** So many partitions may be open at once; the oldest is written early where one more opens. Keeps the cursor record within its slot. */
export const MAX_OPEN_PARTITIONS = 32;

export function partitionKey(partition: string): string {
  return createHash("sha256").update(partition).digest("base64url").slice(0, 12);
}

/** Sorts records into groups by partition, and says which groups are complete. */
export class Grouper {
  readonly #partition: (batch: RecordBatch, index: number) => string;
  readonly #assemble: Assemble;
  /** By partition key: everything before the place is settled already (known from before a restart, or from groups written since). */
  readonly #done: ReadonlyMap<string, Place>;
  /** Called for records that are settled already. */
  readonly #onSettled: (seq: number, records: number) => void;
  readonly open = new Map<string, Group>();
  /** Complete ones, in the order they were completed. */
  readonly ready: Group[] = [];

  constructor(
    partition: (batch: RecordBatch, index: number) => string,
    assemble: Assemble,
    done: ReadonlyMap<string, Place>,
    onSettled: (seq: number, records: number) => void,
  ) {
    this.#partition = partition;
    this.#assemble = assemble;
    this.#done = done;
    this.#onSettled = onSettled;
  }

  add(block: Block, from: number, now: number): void {
    const { batch } = block;
    let start = from;
    while (start < batch.count) {
      const partition = this.#partition(batch, start);
      let end = start + 1;
      while (end < batch.count && this.#partition(batch, end) === partition) end++;
      this.#run(partition, block, start, end, now);
      start = end;
    }
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
      group.perBlock.set(seq, (group.perBlock.get(seq) ?? 0) + index - begun);
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

  /** The start of the first group not yet settled; undefined where there is none. */
  earliest(): Place | undefined {
    let earliest: Place | undefined;
    for (const group of [...this.open.values(), ...this.ready]) {
      if (earliest === undefined || precedes(group.from, earliest)) earliest = group.from;
    }
    return earliest;
  }
}
