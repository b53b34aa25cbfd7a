import type { Spans } from "../api/batch.ts";
import { viewOf } from "./lexer.ts";

/** Words of four bytes that a key may have; longer ones are computed each time. */
const KEY_WORDS = 40;
/** The key being looked up. */
const wanted = new Int32Array(KEY_WORDS);

/**
 * Remembers what was computed from the bytes of some fields, because entries repeat them: event names, levels. Bounded: a slot per hash,
 * the newest stays. Keys are compared in full, so an answer is never another key's.
 */
export class SpanMemo<T> {
  readonly #columns: Int32Array;
  readonly #mask: number;
  /** Per slot the words of its key: per column the length (0 = absent), then the bytes, the last word overlapping the one before. */
  readonly #keys: Int32Array;
  /** Words used in the slot, 0 = empty. */
  readonly #sizes: Uint8Array;
  readonly #values: T[] = [];
  readonly #compute: (bytes: Buffer, spans: Spans, record: number) => T;
  /** What a record without any of the fields gives. */
  #absent: { readonly value: T } | undefined;

  /** `slots` is a power of two. */
  constructor(columns: readonly number[], slots: number, compute: (bytes: Buffer, spans: Spans, record: number) => T) {
    this.#columns = Int32Array.from(columns);
    this.#mask = slots - 1;
    this.#keys = new Int32Array(slots * KEY_WORDS);
    this.#sizes = new Uint8Array(slots);
    this.#compute = compute;
  }

  get(bytes: Buffer, spans: Spans, record: number): T {
    const size = this.#key(bytes, spans, record);
    if (size === 0) {
      this.#absent ??= { value: this.#compute(bytes, spans, record) };
      return this.#absent.value;
    }
    if (size < 0) return this.#compute(bytes, spans, record);
    let hash = size;
    for (let i = 0; i < size; i++) hash = Math.imul(hash ^ wanted[i]!, 0x5bd1e995) ^ (hash >>> 15);
    const slot = (hash ^ (hash >>> 13)) & this.#mask;
    const keys = this.#keys;
    const from = slot * KEY_WORDS;
    let same = this.#sizes[slot] === size;
    for (let i = 0; same && i < size; i++) same = keys[from + i] === wanted[i];
    if (same) return this.#values[slot] as T;
    // Computing may ask other memos, which use `wanted` too.
    for (let i = 0; i < size; i++) keys[from + i] = wanted[i]!;
    this.#sizes[slot] = 0;
    const value = this.#compute(bytes, spans, record);
    this.#sizes[slot] = size;
    this.#values[slot] = value;
    return value;
  }

  /** Fills `wanted`; answers the words used, 0 where no field is there, -1 where they are too long. */
  #key(bytes: Buffer, spans: Spans, record: number): number {
    const columns = this.#columns;
    const { startCells: starts, endCells: ends } = spans;
    const view = viewOf(bytes);
    const row = spans.row(record) * spans.width;
    let size = 0;
    let present = 0;
    for (let c = 0; c < columns.length; c++) {
      const start = starts[row + columns[c]!]!;
      const length = ends[row + columns[c]!]! - start;
      if (size + (length >> 2) + 2 > KEY_WORDS) return -1;
      present |= length;
      wanted[size++] = length;
      if (length < 4) {
        let word = 0;
        for (let p = start; p < start + length; p++) word = (word << 8) | bytes[p]!;
        if (length > 0) wanted[size++] = word;
        continue;
      }
      const last = start + length - 4;
      for (let p = start; p < last; p += 4) wanted[size++] = view.getInt32(p, true);
      wanted[size++] = view.getInt32(last, true);
    }
    return present === 0 ? 0 : size;
  }
}
