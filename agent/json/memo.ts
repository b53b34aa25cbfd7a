import type { Spans } from "../api/batch.ts";

/** Keys longer than this, all columns together, are computed each time. */
const KEY_BYTES = 128;

/**
 * Remembers what was computed from the bytes of some fields, because entries repeat them: event names, levels. Bounded: a slot per hash,
 * the newest stays. Bytes are compared in full, so an answer is never another key's.
 */
export class SpanMemo<T> {
  readonly #columns: readonly number[];
  readonly #mask: number;
  /** Per slot: per column its length + 1 (0 = absent), then its bytes. */
  readonly #keys: Uint8Array;
  /** Bytes used in the slot, 0 = empty. */
  readonly #sizes: Uint8Array;
  readonly #values: T[];
  readonly #compute: (bytes: Buffer, spans: Spans, record: number) => T;

  /** `slots` is a power of two. */
  constructor(columns: readonly number[], slots: number, compute: (bytes: Buffer, spans: Spans, record: number) => T) {
    // Columns of fields that nobody reads (-1) are always absent.
    this.#columns = columns.filter((column) => column >= 0);
    this.#mask = slots - 1;
    this.#keys = new Uint8Array(slots * KEY_BYTES);
    this.#sizes = new Uint8Array(slots);
    this.#values = [];
    this.#compute = compute;
  }

  get(bytes: Buffer, spans: Spans, record: number): T {
    const columns = this.#columns;
    const { starts, ends } = spans;
    const row = record * spans.width;
    let size = columns.length;
    let hash = 0;
    for (let c = 0; c < columns.length; c++) {
      const at = row + columns[c]!;
      const start = starts[at]!;
      const end = ends[at]!;
      size += end - start;
      if (size > KEY_BYTES) return this.#compute(bytes, spans, record);
      hash = Math.imul(hash ^ (end - start), 0x01000193);
      let p = start;
      for (; p + 1 < end; p += 2) hash = Math.imul(hash ^ (bytes[p]! | (bytes[p + 1]! << 8)), 0x5bd1e995);
      if (p < end) hash = Math.imul(hash ^ bytes[p]!, 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    const slot = (hash ^ (hash >>> 13)) & this.#mask;
    if (this.#sizes[slot] === size && this.#same(bytes, starts, ends, row, slot)) return this.#values[slot] as T;
    return this.#remember(bytes, spans, record, slot, size);
  }

  #same(bytes: Buffer, starts: Uint32Array, ends: Uint32Array, row: number, slot: number): boolean {
    const columns = this.#columns;
    const keys = this.#keys;
    let k = slot * KEY_BYTES;
    for (let c = 0; c < columns.length; c++) {
      const at = row + columns[c]!;
      const start = starts[at]!;
      const end = ends[at]!;
      if (keys[k++] !== (start === 0 ? 0 : end - start + 1)) return false;
      for (let p = start; p < end; p++) if (keys[k++] !== bytes[p]) return false;
    }
    return true;
  }

  #remember(bytes: Buffer, spans: Spans, record: number, slot: number, size: number): T {
    const value = this.#compute(bytes, spans, record);
    let k = slot * KEY_BYTES;
    for (const column of this.#columns) {
      const at = record * spans.width + column;
      const start = spans.starts[at]!;
      const end = spans.ends[at]!;
      this.#keys[k++] = start === 0 ? 0 : end - start + 1;
      for (let p = start; p < end; p++) this.#keys[k++] = bytes[p]!;
    }
    this.#sizes[slot] = size;
    this.#values[slot] = value;
    return value;
  }
}
