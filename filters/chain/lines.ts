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
  /** Offset of a line before it in which nothing stands, where such lines count. */
  readonly blank: number | undefined;
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

  /** Offsets of blank lines, by the record of the batch behind them. */
  readonly #blanks: ReadonlyMap<number, number>;

  /** `blanks`: whether lines in which nothing stands count. Inputs leave them out. */
  constructor(waiting: readonly Waiting[], batch: RecordBatch | undefined, blanks: boolean) {
    this.#waiting = waiting;
    this.#blanks = blanks && batch !== undefined ? blankLines(batch) : new Map();
    this.#batch = batch;
    this.waited = waiting.length;
    this.count = this.waited + (batch?.count ?? 0);
  }

  at(k: number): Line {
    const waiting = this.#waiting[k];
    if (waiting !== undefined) {
      const { bytes, origin, offset, cut, history, blank } = waiting;
      return { bytes, start: 0, end: bytes.length, origin, offset, cut, history, blank };
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
      blank: this.#blanks.get(i),
    };
  }

  /** The first record of the batch, from `from` on, before which a line is blank; its count where there is none. */
  nextBlank(from: number): number {
    for (const i of this.#blanks.keys()) if (i >= from) return i;
    return this.count - this.waited;
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

  /** Copies of the lines from `k` on: a batch's memory is used again. What is blank before the first of them was told. */
  copyFrom(k: number): Waiting[] {
    const copies: Waiting[] = [];
    for (let j = k; j < this.count; j++) {
      const { bytes, start, end, blank, ...rest } = this.at(j);
      copies.push({ ...rest, blank: j === k ? undefined : blank, bytes: Buffer.from(bytes.subarray(start, end)) });
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

const NEWLINE = 0x0a;

/** Records before which a line is blank, with its offset. What stands at a file's very beginning is white space around it. */
function blankLines({ buffer, starts, ends, offsets, count }: RecordBatch): Map<number, number> {
  const found = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    let from: number;
    if (i === 0) {
      // Where the bytes are those of the file, the chunk begins with a line.
      if (offsets[0]! <= start) continue;
      from = 0;
    } else {
      const end = ends[i - 1]!;
      const gap = start - end;
      // The same gap as in the file: nothing else stands in between.
      if (gap <= 1 || gap !== offsets[i]! - offsets[i - 1]! - (end - starts[i - 1]!)) continue;
      from = buffer.indexOf(NEWLINE, end) + 1;
    }
    const newline = buffer.indexOf(NEWLINE, from);
    if (newline >= 0 && newline < start) found.set(i, offsets[i]! - (start - from));
  }
  return found;
}
