import { type Cut, RecordFlag } from "../../../agent/api/batch.ts";
import type { Framed } from "./framer.ts";
import { isBlank, SpanList, trimLineEnd } from "./spans.ts";

/** Records whose bytes are not those of the chunk: one new buffer, written front to back. */
export class RecordOutput {
  readonly spans: SpanList;
  #buffer: Buffer;
  #length = 0;

  /** `records` and `bytes` are what is expected; it grows beyond. */
  constructor(records: number, bytes: number) {
    this.spans = new SpanList(records);
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  /** Adds a record of at most `max` bytes, without its line end; what is longer is cut, what is blank is none. */
  add(source: Buffer, start: number, end: number, offset: number, max: number): void {
    const trimmed = trimLineEnd(source, start, end);
    if (isBlank(source, start, trimmed)) return;
    const at = this.#append(source, start, trimmed);
    this.spans.addBounded(this.#buffer, at, this.#length, offset, max);
  }

  /** Adds what is left of something longer. */
  addCut(source: Buffer, start: number, end: number, offset: number, cut: Cut): void {
    const at = this.#append(source, start, end);
    this.spans.addCut(at, this.#length, offset, cut);
  }

  framed(next: number, resume: number): Framed {
    return this.spans.framed(this.#buffer.subarray(0, this.#length), next, resume);
  }

  #append(source: Buffer, start: number, end: number): number {
    const at = this.#length;
    const needed = at + end - start;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    source.copy(this.#buffer, at, start, end);
    this.#length = needed;
    return at;
  }
}

/** The cut of record `index`, where it has one. */
export function cutOf(framed: Framed, index: number): Cut | undefined {
  return (framed.flags?.[index] ?? 0) & RecordFlag.cut ? framed.cuts?.get(index) : undefined;
}
