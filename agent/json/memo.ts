import type { Spans } from "../api/batch.ts";
import { viewOf } from "./lexer.ts";

/** Words of four bytes that a key may have; longer ones are computed each time. */
const KEY_WORDS = 40;
/** Keys with the same hash that are kept. With one, two events that share a slot would be computed again at every turn. */
const WAYS = 2;

/**
 * Remembers what was computed from the bytes of some fields, because entries repeat them: event names, levels. Bounded: few slots per hash,
 * the newest stay. Keys are compared in full, so an answer is never another key's.
 *
 * A key is, per field, its length (0 = absent) and its bytes in words, the last of which ends where the value ends and overlaps the one
 * before. A value shorter than a word has what stands before it in that word: three bytes at least stand before any value of an object.
 */
export class SpanMemo<T> {
  readonly #columns: readonly number[];
  readonly #mask: number;
  readonly #keys: Int32Array;
  readonly #values: (T | undefined)[];
  readonly #compute: (bytes: Buffer, spans: Spans, record: number) => T;
  /** What a record without any of the fields gives. */
  #absent: { readonly value: T } | undefined;

  /** `slots` is a power of two. */
  constructor(columns: readonly number[], slots: number, compute: (bytes: Buffer, spans: Spans, record: number) => T) {
    this.#columns = [...columns];
    this.#mask = slots / WAYS - 1;
    // No key begins with a length below 0.
    this.#keys = new Int32Array(slots * KEY_WORDS).fill(-1);
    this.#values = new Array<T | undefined>(slots).fill(undefined);
    this.#compute = compute;
  }

  get(bytes: Buffer, spans: Spans, record: number): T {
    const view = viewOf(bytes);
    const row = (spans.row(record) * spans.width) | 0;
    const columns = this.#columns;
    const { startCells: starts, endCells: ends } = spans;
    let hash = 0;
    let present = 0;
    for (let c = 0; c < columns.length; c = (c + 1) | 0) {
      const cell = (row + columns[c]!) | 0;
      const end = ends[cell]! | 0;
      if (end !== 0) {
        const start = starts[cell]! | 0;
        const last = (end - 4) | 0;
        for (let p = start; p < last; p = (p + 4) | 0) hash = Math.imul(hash, 0x01000193) ^ view.getInt32(p, true);
        hash = Math.imul(hash ^ view.getInt32(last, true), 0x5bd1e995);
        hash = (hash ^ (hash >>> 15) ^ (end - start)) | 0;
        present = 1;
      }
      hash = (hash << 5) | (hash >>> 27);
    }
    if (present === 0) {
      this.#absent ??= { value: this.#compute(bytes, spans, record) };
      return this.#absent.value;
    }
    const slot = (((hash ^ (hash >>> 15)) & this.#mask) * WAYS) | 0;
    if (this.#has(slot, view, starts, ends, row)) return this.#values[slot] as T;
    if (this.#has(slot + 1, view, starts, ends, row)) return this.#values[slot + 1] as T;
    const value = this.#compute(bytes, spans, record);
    this.#keep(slot, view, starts, ends, row, value);
    return value;
  }

  #has(slot: number, view: DataView, starts: Uint32Array, ends: Uint32Array, row: number): boolean {
    const keys = this.#keys;
    const columns = this.#columns;
    let word = (slot * KEY_WORDS) | 0;
    for (let c = 0; c < columns.length; c = (c + 1) | 0) {
      const cell = (row + columns[c]!) | 0;
      const end = ends[cell]! | 0;
      const start = starts[cell]! | 0;
      if (keys[word] !== ((end - start) | 0)) return false;
      word = (word + 1) | 0;
      if (end === 0) continue;
      const last = (end - 4) | 0;
      for (let p = start; p < last; p = (p + 4) | 0) {
        if (keys[word] !== view.getInt32(p, true)) return false;
        word = (word + 1) | 0;
      }
      if (keys[word] !== view.getInt32(last, true)) return false;
      word = (word + 1) | 0;
    }
    return true;
  }

  /** In the first place of its slot; what was there goes to the second. */
  #keep(slot: number, view: DataView, starts: Uint32Array, ends: Uint32Array, row: number, value: T): void {
    const key: number[] = [];
    for (const column of this.#columns) {
      const start = starts[row + column]!;
      const end = ends[row + column]!;
      if (key.length + ((end - start) >> 2) + 2 > KEY_WORDS) return;
      key.push(end - start);
      if (end === 0) continue;
      for (let p = start; p < end - 4; p += 4) key.push(view.getInt32(p, true));
      key.push(view.getInt32(end - 4, true));
    }
    const from = slot * KEY_WORDS;
    this.#keys.copyWithin(from + KEY_WORDS, from, from + KEY_WORDS);
    this.#values[slot + 1] = this.#values[slot];
    this.#keys.set(key, from);
    this.#values[slot] = value;
  }
}
