/**
 * The one pass over an entry's bytes: validates it and finds the values of the configured top-level fields.
 *
 * Writers repeat themselves: between two values of an entry stand the same bytes (`, "action": `) as in the entry before. The scanner
 * keeps that text per member position (a *joint*), compares it word by word, and so knows key and column without reading the key. What
 * does not match is read the ordinary way and learnt. A joint is compared in full, so the answer never depends on what came before.
 */
import { isUtf8 } from "node:buffer";
import { type FieldReader, type RecordBatch, RecordFlag, SpanFlag, Spans } from "../api/batch.ts";
import { Fault, fail, finish, lexed, skipKey, skipSpace, skipString, skipValue, viewOf } from "./lexer.ts";
import { decodeString } from "./value.ts";

export { scanJson, scanRecord } from "./explain.ts";

/** Members beyond this many are read the ordinary way. */
const JOINTS = 64;
/** So many different joints per position: interleaved writers, members that may be absent. */
const SHAPES = 4;
/** Words of four bytes per joint: three numbers and its text. Longer ones are not learnt. */
const STRIDE = 20;
const TEXT = 3;
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
  readonly #keys: Keys;
  readonly #width: number;
  /** Per joint `STRIDE` words: its length in bytes (0 = not learnt), its key's column, what counts of its last word, its text. */
  readonly #joints = new Int32Array(JOINTS * SHAPES * STRIDE);
  /** The shape that fitted last: tried first. */
  #shape = 0;
  #misses = 0;
  /** Column of the key that `#join` read last. */
  #column = -1;

  constructor(fields: readonly string[]) {
    const unique = [...new Set(fields)];
    this.#keys = new Keys(unique);
    this.#width = unique.length;
  }

  column(field: string): number {
    return this.#keys.column(field);
  }

  spans(batch: RecordBatch): Spans {
    const known = batch.scanned;
    if (known !== undefined && known.reader === this) return known;
    const { count, buffer, starts, ends, flags } = batch;
    const width = this.#width;
    const startCells = new Uint32Array(count * width);
    const endCells = new Uint32Array(count * width);
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

  #scan(
    bytes: Buffer,
    view: DataView,
    start: number,
    end: number,
    starts: Uint32Array,
    ends: Uint32Array,
    row: number,
  ): boolean {
    const joints = this.#joints;
    // A joint's last word may be read beyond the record, never beyond the buffer.
    const limit = Math.min(end, bytes.length - 3);
    let shape = this.#shape;
    let p = start;
    for (let k = 0; ; k++) {
      if (k > 0 && p < end && bytes[p] === CLOSE_BRACE) {
        this.#shape = shape;
        return finish(bytes, p + 1, end);
      }
      let column = -1;
      let value = -1;
      for (let tries = k < JOINTS ? SHAPES : 0; tries > 0; tries--) {
        const joint = (shape * JOINTS + k) * STRIDE;
        const length = joints[joint]!;
        if (length !== 0 && p + length < limit) {
          const full = p + (length & ~3);
          let word = joint + TEXT;
          let at = p;
          while (at < full && view.getInt32(at, true) === joints[word]) {
            at += 4;
            word++;
          }
          if (at === full && ((view.getInt32(at, true) ^ joints[word]!) & joints[joint + 2]!) === 0) {
            value = p + length;
            column = joints[joint + 1]!;
            break;
          }
        }
        shape = (shape + 1) % SHAPES;
      }
      if (value < 0) {
        value = this.#join(bytes, view, p, end, k);
        if (value < 0) return value === -2 && finish(bytes, lexed.at, end);
        column = this.#column;
        if (k < JOINTS) shape = this.#learn(bytes, p, value, k, shape);
      }
      const c = value < end ? bytes[value]! : 0;
      if (c === QUOTE) {
        p = skipString(bytes, view, value, end);
      } else {
        // This entry may have more space before the value than the joint has.
        if (c <= 0x20) value = skipSpace(bytes, value, end);
        p = skipValue(bytes, view, value, end);
      }
      if (p < 0) return false;
      if (column >= 0) {
        starts[row + column] = value;
        ends[row + column] = p;
      }
    }
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

  /** Keeps a joint that no shape has; answers the shape that has it now. */
  #learn(bytes: Buffer, from: number, to: number, k: number, current: number): number {
    const length = to - from;
    if (length > (STRIDE - TEXT - 1) * 4) return current;
    let shape = current;
    for (let i = 0; i < SHAPES && this.#joints[(shape * JOINTS + k) * STRIDE] !== 0; i++) shape = (shape + 1) % SHAPES;
    const joint = (shape * JOINTS + k) * STRIDE;
    if (this.#joints[joint] !== 0) {
      // More shapes than places: learning each time would cost more than it saves.
      if ((++this.#misses & 15) !== 0) return current;
      shape = (current + 1) % SHAPES;
    }
    this.#keep(bytes, from, length, (shape * JOINTS + k) * STRIDE);
    return shape;
  }

  #keep(bytes: Buffer, from: number, length: number, joint: number): void {
    const joints = this.#joints;
    joints.fill(0, joint, joint + STRIDE);
    joints[joint] = length;
    joints[joint + 1] = this.#column;
    joints[joint + 2] = (1 << ((length & 3) * 8)) - 1;
    for (let i = 0; i < length; i++) joints[joint + TEXT + (i >> 2)]! |= bytes[from + i]! << ((i & 3) * 8);
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
