/**
 * The one pass over an entry's bytes: validates it and finds the values of the configured top-level fields.
 *
 * Writers repeat themselves: between two values of an entry stand the same bytes (`, "action": `) as in the entry before. The scanner
 * keeps that text per member position (a *joint*), compares it word by word, and so knows key and column without reading the key. What
 * does not match is read the ordinary way and learnt. A joint is compared in full, so the answer never depends on what came before.
 */
import { isUtf8 } from "node:buffer";
import { type FieldReader, type RecordBatch, RecordFlag, SpanFlag, Spans } from "../api/batch.ts";
import { memoryPool } from "../api/memory-pool.ts";
import { Fault, fail, finish, lexed, skipKey, skipSpace, skipString, skipValue, viewOf } from "./lexer.ts";
import { decodeString } from "./value.ts";

export { scanJson, scanRecord } from "./explain.ts";

/** Members beyond this many are read the ordinary way. */
const JOINTS = 64;
/** So many different joints per position: interleaved writers, members that may be absent. */
const SHAPES = 4;
/** Index of a joint that is never learnt: of the members beyond. */
const NEVER = JOINTS * SHAPES;
/** Bytes compared at once. */
const WORD = 8;
/** Words of a joint's text; longer ones are not learnt. */
const WORDS = 8;
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** Finds a field's column by its key's bytes. */
class Keys {
  readonly #columns: ReadonlyMap<string, number>;
  readonly #bytes: readonly Buffer[];
  /** First column of a hash; others follow in `#next`; -1 ends. */
  readonly #heads = new Int32Array(256).fill(-1);
  readonly #next: Int32Array;

  constructor(fields: readonly string[]) {
    this.#columns = new Map(fields.map((field, column) => [field, column]));
    this.#bytes = fields.map((field) => Buffer.from(field));
    this.#next = new Int32Array(fields.length).fill(-1);
    this.#bytes.forEach((key, column) => {
      const hash = Keys.#hash(key, 0, key.length);
      this.#next[column] = this.#heads[hash]!;
      this.#heads[hash] = column;
    });
  }

  static #hash(bytes: Uint8Array, start: number, end: number): number {
    return end > start ? (bytes[start]! * 7 + bytes[end - 1]! * 13 + (end - start)) & 255 : 0;
  }

  column(field: string): number {
    return this.#columns.get(field) ?? -1;
  }

  /** `start` and `end` without the quotes; nothing escaped in between. */
  find(bytes: Buffer, start: number, end: number): number {
    let column = this.#heads[Keys.#hash(bytes, start, end)]!;
    while (column >= 0 && !sameBytes(this.#bytes[column]!, bytes, start, end)) column = this.#next[column]!;
    return column;
  }
}

function sameBytes(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return false;
  return true;
}

export class Scanner implements FieldReader {
  #keys: Keys;
  #width: number;
  #fields: readonly string[];
  /**
   * Of the joints, by shape and position: length in bytes, 0 = not learnt. Plain arrays: a typed one is asked at each use whether it was
   * detached.
   */
  readonly #lengths = Array.from({ length: NEVER + 1 }, () => 0);
  /** Columns of their keys. */
  readonly #columns = Array.from({ length: NEVER + 1 }, () => -1);
  /**
   * Their texts as doubles, eight bytes at once; the last word ends where the text ends, and overlaps the one before. Of a shorter text the
   * first four bytes and the last four, as integers. What makes a NaN would only never be found equal; a zero, of which there are two, takes
   * a NUL, which valid JSON never has.
   */
  readonly #texts = Array.from({ length: NEVER * WORDS }, () => 0.5);
  /** Where the joints of the shape begin that fitted last: tried first. */
  #shape = 0;
  #misses = 0;
  /** Column of the key before the value that `#other` found. */
  #column = -1;

  constructor(fields: readonly string[]) {
    this.#fields = [...new Set(fields)];
    this.#keys = new Keys(this.#fields);
    this.#width = this.#fields.length;
  }

  /** Finds these fields too from now on (a reload brought plugins that read them). The columns there are stay. */
  grow(fields: readonly string[]): void {
    const all = [...new Set([...this.#fields, ...fields])];
    if (all.length === this.#width) return;
    this.#fields = all;
    this.#keys = new Keys(all);
    this.#width = all.length;
    // A joint may have been learnt for a key that had no column.
    this.#lengths.fill(0);
  }

  column(field: string): number {
    return this.#keys.column(field);
  }

  spans(batch: RecordBatch): Spans {
    const known = batch.scanned;
    if (known !== undefined && known.reader === this && known.width === this.#width) return known;
    const { count, buffer, starts, ends, flags } = batch;
    const width = this.#width;
    const cells = count * width;
    const memory = memoryPool.take(2 * cells * Uint32Array.BYTES_PER_ELEMENT).buffer;
    const startCells = new Uint32Array(memory, 0, cells).fill(0);
    const endCells = new Uint32Array(memory, startCells.byteLength, cells).fill(0);
    const rowFlags = new Uint8Array(count);
    const view = viewOf(buffer);
    const allUtf8 = isUtf8(region(batch));
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      const end = ends[i]!;
      // Where all of the region is UTF-8, so is each record that is an object: it begins and ends with an ASCII byte.
      const fits = flags === undefined || (flags[i]! & (RecordFlag.plain | RecordFlag.cut)) === 0;
      if (fits && (allUtf8 || isUtf8(buffer.subarray(start, end)))) {
        lexed.nonFinite = false;
        if (this.#scan(buffer, view, start, end, startCells, endCells, i * width)) {
          if (lexed.nonFinite) rowFlags[i] = SpanFlag.nonFinite;
          continue;
        }
        startCells.fill(0, i * width, (i + 1) * width);
        endCells.fill(0, i * width, (i + 1) * width);
      }
      rowFlags[i] = SpanFlag.notObject;
    }
    const spans = new Spans(width, startCells, endCells, rowFlags, this);
    batch.scanned = spans;
    return spans;
  }

  /** All sums are cut to 32 bits (`| 0`): V8 then keeps the positions in registers, where it would box what a call may answer. */
  #scan(
    bytes: Buffer,
    view: DataView,
    start: number,
    end: number,
    starts: Uint32Array,
    ends: Uint32Array,
    row: number,
  ): boolean {
    let shape = this.#shape | 0;
    let p = start | 0;
    for (let k = 0; ; k = (k + 1) | 0) {
      const joint = k < JOINTS ? (shape + k) | 0 : NEVER;
      let column = this.#columns[joint]!;
      let value = this.#fits(view, p, end, joint);
      if (value < 0) {
        if (k > 0 && p < end && view.getUint8(p) === CLOSE_BRACE) return finish(bytes, p + 1, end);
        value = this.#other(bytes, view, p, end, k) | 0;
        if (value < 0) return value === -2 && finish(bytes, lexed.at, end);
        column = this.#column;
        shape = this.#shape | 0;
      }
      const c = value < end ? view.getUint8(value) : 0;
      if (c === QUOTE) {
        p = skipString(bytes, view, value, end) | 0;
      } else {
        // This entry may have more space before the value than the joint has.
        if (c <= 0x20) value = skipSpace(bytes, value, end) | 0;
        p = skipValue(bytes, view, value, end) | 0;
      }
      if (p < 0) return false;
      if (column >= 0) {
        starts[row + column] = value;
        ends[row + column] = p;
      }
    }
  }

  /** Where the joint at `p` ends; -1: another stands there. */
  #fits(view: DataView, p: number, end: number, joint: number): number {
    const length = this.#lengths[joint]!;
    const behind = (p + length) | 0;
    if (length === 0 || behind >= end) return -1;
    const texts = this.#texts;
    let word = (joint * WORDS) | 0;
    if (length < WORD) {
      const same = view.getInt32(p, true) === texts[word] && view.getInt32(behind - 4, true) === texts[word + 1];
      return same ? behind : -1;
    }
    const last = (behind - WORD) | 0;
    let at = p;
    while (at < last) {
      if (view.getFloat64(at, true) !== texts[word]) return -1;
      at = (at + WORD) | 0;
      word = (word + 1) | 0;
    }
    return view.getFloat64(last, true) === texts[word] ? behind : -1;
  }

  /** What stands at `p` instead of the joint tried: another shape's, or one to be read and learnt. Answers as `#join` does. */
  #other(bytes: Buffer, view: DataView, p: number, end: number, k: number): number {
    if (k < JOINTS) {
      for (let i = 1; i < SHAPES; i++) {
        const shape = (this.#shape + i * JOINTS) % NEVER;
        const value = this.#fits(view, p, end, shape + k);
        if (value < 0) continue;
        this.#shape = shape;
        this.#column = this.#columns[shape + k]!;
        return value;
      }
    }
    const value = this.#join(bytes, view, p, end, k);
    if (value >= 0 && k < JOINTS) this.#learn(bytes, p, value, k);
    return value;
  }

  /** Reads from behind a value (or from the start) to the next value. -1: no JSON; -2: the object ends before `lexed.at`. */
  #join(bytes: Buffer, view: DataView, from: number, end: number, k: number): number {
    let p = skipSpace(bytes, from, end);
    if (p >= end) return fail(Fault.end, p);
    if (k > 0 && bytes[p] === CLOSE_BRACE) {
      lexed.at = p + 1;
      return -2;
    }
    if (bytes[p] !== (k > 0 ? 0x2c : 0x7b)) return fail(Fault.byte, p);
    p = skipSpace(bytes, p + 1, end);
    if (k === 0 && p < end && bytes[p] === CLOSE_BRACE) {
      lexed.at = p + 1;
      return -2;
    }
    const key = p;
    const escapes = lexed.escapes;
    const value = skipKey(bytes, view, key, end);
    if (value < 0) return -1;
    this.#column =
      escapes === lexed.escapes
        ? this.#keys.find(bytes, key + 1, lexed.keyEnd - 1)
        : this.#keys.column(decodeString(bytes, key, lexed.keyEnd));
    return value;
  }

  /** Keeps a joint that no shape has. */
  #learn(bytes: Buffer, from: number, to: number, k: number): void {
    const length = to - from;
    if (length > WORDS * WORD) return;
    let shape = this.#shape;
    for (let i = 0; i < SHAPES && this.#lengths[shape + k] !== 0; i++) shape = (shape + JOINTS) % NEVER;
    if (this.#lengths[shape + k] !== 0) {
      // More shapes than places: learning each time would cost more than it saves.
      if ((++this.#misses & 15) !== 0) return;
      shape = (shape + JOINTS) % NEVER;
    }
    const joint = shape + k;
    this.#lengths[joint] = length;
    this.#columns[joint] = this.#column;
    let word = joint * WORDS;
    if (length < WORD) {
      // Quotes, colon and a brace or a comma make four bytes at least.
      this.#texts[word] = bytes.readInt32LE(from);
      this.#texts[word + 1] = bytes.readInt32LE(to - 4);
    } else {
      for (let at = from; at < to - WORD; at += WORD) this.#texts[word++] = bytes.readDoubleLE(at);
      this.#texts[word] = bytes.readDoubleLE(to - WORD);
    }
    this.#shape = shape;
  }
}

/** The bytes from the first record to the last; records need not be in order. */
function region(batch: RecordBatch): Buffer {
  const { buffer, starts, ends, count } = batch;
  let from = buffer.length;
  let to = 0;
  for (let i = 0; i < count; i++) {
    if (starts[i]! < from) from = starts[i]!;
    if (ends[i]! > to) to = ends[i]!;
  }
  return buffer.subarray(Math.min(from, to), to);
}
