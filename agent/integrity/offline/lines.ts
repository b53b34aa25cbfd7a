/** Lines as the reference verifiers split them, on bytes. */
import type { Scheme } from "../scheme.ts";

export type LineMode = Scheme["lines"];

const LF = 0x0a;
const CR = 0x0d;

/** Finds the ends of lines in one buffer, asked in rising order. */
export class LineEnds {
  readonly #bytes: Buffer;
  /** The next carriage return that ends a line: most files have none, so it is looked for once and not per line. */
  #cr: number;

  constructor(bytes: Buffer, mode: LineMode, from: number) {
    this.#bytes = bytes;
    this.#cr = mode === "python" ? orEnd(bytes.indexOf(CR, from)) : Number.POSITIVE_INFINITY;
  }

  /** Index of the byte that ends the line which begins at `p`; -1 where there is none. */
  after(p: number): number {
    const lf = this.#bytes.indexOf(LF, p);
    if (this.#cr === Number.POSITIVE_INFINITY) return lf;
    if (this.#cr < p) this.#cr = orEnd(this.#bytes.indexOf(CR, p));
    if (lf >= 0 && lf < this.#cr) return lf;
    return this.#cr === Number.POSITIVE_INFINITY ? lf : this.#cr;
  }
}

function orEnd(at: number): number {
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

/** Where the next line begins, behind the line that `end` ends. */
export function behind(bytes: Buffer, end: number): number {
  return bytes[end] === CR && bytes[end + 1] === LF ? end + 2 : end + 1;
}

/** Whether a line begins at `p`, which has a byte before it. */
export function beginsLine(bytes: Buffer, p: number, mode: LineMode): boolean {
  const before = bytes[p - 1];
  return before === LF || (mode === "python" && before === CR && bytes[p] !== LF);
}

/** Behind the last line that ends in `bytes`; 0 where none does. A carriage return that is the very last byte may be half of an end. */
export function lastLineEnd(bytes: Buffer, mode: LineMode): number {
  const lf = bytes.lastIndexOf(LF) + 1;
  if (lf > 0 || mode === "javascript") return lf;
  return bytes.subarray(0, -1).lastIndexOf(CR) + 1;
}

/** Bytes of the white space character, as JavaScript's `trim` knows it, that begins at `p`; 0 where there is none. */
function spaceAt(bytes: Buffer, p: number, end: number): number {
  const c = bytes[p]!;
  if (c < 0x80) return c === 0x20 || (c >= 0x09 && c <= 0x0d) ? 1 : 0;
  for (const width of [2, 3]) if (p + width <= end && WIDE.has(bytes.toString("latin1", p, p + width))) return width;
  return 0;
}

const WIDE = new Set(
  [0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff]
    .concat(Array.from({ length: 11 }, (_, i) => 0x2000 + i))
    .map((point) => Buffer.from(String.fromCodePoint(point)).toString("latin1")),
);

/** How many bytes at the front JavaScript's `trim` takes away. */
export function leadingSpace(bytes: Buffer): number {
  let p = 0;
  while (p < bytes.length) {
    const width = spaceAt(bytes, p, bytes.length);
    if (width === 0) break;
    p += width;
  }
  return p;
}

/** How many bytes are left once JavaScript's `trim` has taken away what is at the end. */
export function withoutTrailingSpace(bytes: Buffer): number {
  let p = bytes.length;
  while (p > 0) {
    const width = [1, 2, 3].find((one) => one <= p && spaceAt(bytes, p - one, p) === one);
    if (width === undefined) break;
    p -= width;
  }
  return p;
}
