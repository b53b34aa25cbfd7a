import type { RecordBatch } from "../api/batch.ts";
import type { Block, Place } from "../queue/types.ts";
import { Tally } from "./lane-ledger.ts";

export { precedes } from "./lane-ledger.ts";

/** Consecutive records of a block. */
interface Slice {
  readonly seq: number;
  /** Index in the block of the slice's first record. */
  readonly from: number;
  readonly time: number;
  readonly batch: RecordBatch;
}

/** Consecutive matching records of the queue: the unit of writing, retrying and settling. */
export class Chunk {
  readonly slices: Slice[] = [];
  readonly tally = new Tally();
  /** Aborted when the queue gives its records up, and when the lane stops. */
  readonly abort = new AbortController();
  records = 0;
  bytes = 0;
  attempts = 0;
  settled = false;
  /** The queue gave these records up (`drop_oldest`). */
  dropped = false;

  /** Where the cursor goes once it is settled. */
  get end(): Place {
    return this.tally.end;
  }

  get start(): Place {
    const first = this.slices[0]!;
    return { seq: first.seq, index: first.from };
  }

  /** Write time of its youngest record. */
  get youngest(): number {
    return this.slices.at(-1)!.time;
  }

  add(block: Block, from: number, to: number, bytes: number): void {
    this.slices.push({ seq: block.seq, from, time: block.time, batch: block.batch.slice(from, to) });
    this.records += to - from;
    this.bytes += bytes;
    this.tally.end = to === block.batch.count ? { seq: block.seq + 1, index: 0 } : { seq: block.seq, index: to };
  }

  /** The batches and, of each, the index of its first record in the chunk. */
  batches(): RecordBatch[] {
    return this.slices.map((slice) => slice.batch);
  }
}

/** Calls back with batch and index of each record given by ascending index over all batches. */
export function locate(
  batches: readonly RecordBatch[],
  indexes: Iterable<number>,
  found: (batch: RecordBatch, at: number, index: number) => void,
): void {
  let at = 0;
  let first = 0;
  for (const index of indexes) {
    while (at < batches.length && index >= first + batches[at]!.count) first += batches[at++]!.count;
    const batch = batches[at];
    if (batch === undefined) return;
    found(batch, index - first, index);
  }
}

/** The records at `indexes` (ascending, over all batches) as batches of their own. */
export function pick(batches: readonly RecordBatch[], indexes: Uint32Array): RecordBatch[] {
  const picked: RecordBatch[] = [];
  let first = 0;
  let next = 0;
  for (const batch of batches) {
    const keep = new Uint32Array(batch.count);
    let count = 0;
    while (next < indexes.length && indexes[next]! < first + batch.count) keep[count++] = indexes[next++]! - first;
    if (count > 0) picked.push(batch.select(keep, count));
    first += batch.count;
  }
  return picked;
}
