import { type RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import { type ChainReader, Entry } from "../../agent/integrity/reader.ts";
import { AHEAD } from "./around.ts";
import type { Origin, Waiting } from "./state.ts";

/** One line of a group, where something is to be found out about it. */
export interface Line {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly origin: Origin;
  readonly offset: number;
  readonly cut: boolean;
  readonly history: "truncated" | "rolled_back" | undefined;
}

/** The lines whose verdict waits, and behind them those of a batch. */
export class Lines {
  readonly #waiting: readonly Waiting[];
  readonly #batch: RecordBatch | undefined;
  /** How many of them waited; those of the batch come behind. */
  readonly waited: number;
  readonly count: number;
  /** Stored hashes by line, as far as they were asked for; "" for a line without one. */
  readonly #hashes: string[] = [];

  constructor(waiting: readonly Waiting[], batch?: RecordBatch) {
    this.#waiting = waiting;
    this.#batch = batch;
    this.waited = waiting.length;
    this.count = this.waited + (batch?.count ?? 0);
  }

  at(k: number): Line {
    const waiting = this.#waiting[k];
    if (waiting !== undefined) {
      const { bytes, origin, offset, cut, history } = waiting;
      return { bytes, start: 0, end: bytes.length, origin, offset, cut, history };
    }
    const batch = this.#batch!;
    const i = k - this.waited;
    const { id, input, path, history } = batch.source;
    return {
      bytes: batch.buffer,
      start: batch.starts[i]!,
      end: batch.ends[i]!,
      origin: { id, input, path },
      offset: batch.offsets[i]!,
      cut: batch.flags !== undefined && (batch.flags[i]! & RecordFlag.cut) !== 0,
      history,
    };
  }

  /** Hashes of the lines behind `k`, of `count` lines at most. */
  hashesAfter(k: number, count: number, reader: ChainReader): string[] {
    const found: string[] = [];
    for (let j = k + 1; j < this.count && j <= k + count; j++) {
      this.#hashes[j] ??= this.#hashAt(j, reader);
      if (this.#hashes[j] !== "") found.push(this.#hashes[j]!);
    }
    return found;
  }

  #hashAt(k: number, reader: ChainReader): string {
    const { bytes, start, end, cut } = this.at(k);
    return !cut && reader.read(bytes, start, end) === Entry.chained ? reader.stored : "";
  }

  /** Copies of the lines from `k` on: a batch's memory is used again. */
  copyFrom(k: number): Waiting[] {
    const copies: Waiting[] = [];
    for (let j = k; j < this.count; j++) {
      const { bytes, start, end, ...rest } = this.at(j);
      copies.push({ ...rest, bytes: Buffer.from(bytes.subarray(start, end)) });
    }
    return copies;
  }

  /** Whether the lines from `k` on, where they are few, hold more than so many bytes. */
  isLongBehind(k: number, limit: number): boolean {
    if (this.count - k > AHEAD) return false;
    let bytes = 0;
    for (let j = k; j < this.count; j++) {
      const { start, end } = this.at(j);
      bytes += end - start;
    }
    return bytes > limit;
  }
}
