/**
 * Values for python-writer.ts: reads one, and says where its text stands as Python prints it: in the entry, where that is just so, or
 * beside, printed anew. Its answers are fields, because an object per value would cost more than the reading.
 */
import { skipNumber, skipScalar, skipSpace } from "./lexer.ts";
import { pythonScalar, pythonString } from "./python.ts";
import { BESIDE, PythonFrames, ROOM, SOURCE } from "./python-frames.ts";
import { isPrinted } from "./python-number.ts";
import { escapeAt, skipPrinted } from "./python-text.ts";
import { decodeString } from "./value.ts";

/** Deeper values are not for the fast path. */
const MAX_DEPTH = 24;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;

export class PythonValues {
  /** The text of the value read last. */
  from = 0;
  to = 0;
  where: number = SOURCE;
  /** There was a byte that is not ASCII: whoever reads has to see whether the entry is UTF-8. */
  wide = false;
  readonly kept = new PythonFrames();
  #besideEnd = 0;
  #depth = 0;
  #bytes: Buffer = this.kept.beside;
  #view: DataView = this.kept.besideView;
  #end = 0;

  /** Another entry, up to `end`. */
  begin(bytes: Buffer, view: DataView, end: number): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#end = end;
    this.#besideEnd = 0;
    this.#depth = 0;
    this.kept.begin(bytes, view);
    this.wide = false;
  }

  /** Reads the value at `p`; answers where it ends in the entry, -1 where the fast path ends. */
  read(p: number): number {
    if (p >= this.#end) return -1;
    const c = this.#bytes[p]!;
    if (c === QUOTE) return this.#string(p);
    if (c === OPEN_BRACE) return this.#object(p);
    if (c === OPEN_BRACKET) return this.#array(p);
    if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return this.#number(p);
    return this.#stands(p, skipScalar(this.#bytes, this.#view, p, this.#end));
  }

  /** Reads the members of the object at `from` and keeps them from `top` on; answers what is behind its brace, or -1. */
  members(from: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const end = this.#end;
    let p = skipSpace(bytes, from + 1, end) | 0;
    if (p < end && bytes[p] === CLOSE_BRACE) return p + 1;
    for (;;) {
      if (p >= end || view.getUint8(p) !== QUOTE) return -1;
      p = this.#kept(p) | 0;
      if (p < 0) return -1;
      p = behindSpace(bytes, view, p, end);
      if (p >= end || view.getUint8(p) !== COLON) return -1;
      p = this.#kept(behindSpace(bytes, view, (p + 1) | 0, end)) | 0;
      if (p < 0) return -1;
      p = behindSpace(bytes, view, p, end);
      if (p >= end) return -1;
      const c = view.getUint8(p);
      if (c === CLOSE_BRACE) return (p + 1) | 0;
      if (c !== COMMA) return -1;
      p = behindSpace(bytes, view, (p + 1) | 0, end);
    }
  }

  /** Reads the value at `p` and keeps it; most are plain strings, which need no call. */
  #kept(p: number): number {
    const view = this.#view;
    const end = this.#end;
    if (p < end && view.getUint8(p) === QUOTE) {
      const close = skipPrinted(view, (p + 1) | 0, end);
      if (close < end && view.getUint8(close) === QUOTE) {
        const after = (close + 1) | 0;
        return this.kept.keep(p, after, SOURCE) ? after : -1;
      }
    }
    const after = this.read(p);
    return after < 0 || !this.kept.keep(this.from, this.to, this.where) ? -1 : after;
  }

  #stands(from: number, to: number): number {
    this.from = from;
    this.to = to;
    this.where = SOURCE;
    return to;
  }

  /** The text is beside, from `from` to `to`; the value ends at `after` in the entry. */
  #isBeside(from: number, to: number, after: number): number {
    if (to < 0) return -1;
    this.from = from;
    this.to = to;
    this.where = BESIDE;
    this.#besideEnd = to;
    return after;
  }

  #anew(text: string, after: number): number {
    const from = this.#besideEnd;
    if (from + text.length + 4 > ROOM) return -1;
    return this.#isBeside(from, from + this.kept.beside.write(text, from, "latin1"), after);
  }

  #string(from: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const end = this.#end;
    let p = from + 1;
    let same = true;
    for (;;) {
      p = skipPrinted(view, p, end);
      if (p >= end) return -1;
      const c = bytes[p]!;
      if (c === QUOTE) {
        p++;
        return same ? this.#stands(from, p) : this.#anew(pythonString(decodeString(bytes, from, p)), p);
      }
      if (c === BACKSLASH) {
        const length = escapeAt(bytes, p, end);
        if (length === 0) return -1;
        if (length < 0) same = false;
        p += Math.abs(length);
      } else if (c < 0x20) {
        return -1;
      } else {
        if (c >= 0x7f) same = false;
        if (c >= 0x80) this.wide = true;
        p++;
      }
    }
  }

  #number(from: number): number {
    const bytes = this.#bytes;
    const p = skipNumber(bytes, this.#view, from, this.#end);
    if (p < 0) return -1;
    // `-Infinity`, and what its digits alone tell of.
    if (bytes[p - 1]! > 0x39 || isPrinted(bytes, from, p)) return this.#stands(from, p);
    const token = bytes.toString("latin1", from, p);
    const printed = pythonScalar(token);
    return printed === token ? this.#stands(from, p) : this.#anew(printed, p);
  }

  #object(from: number): number {
    if (++this.#depth > MAX_DEPTH) return -1;
    const { kept } = this;
    const base = kept.top;
    const after = this.members(from);
    if (after < 0) return -1;
    this.#depth--;
    const { top } = kept;
    const count = kept.sort(base);
    if (kept.standsSorted(count, base, top, from, after)) return this.#stands(from, after);
    const start = this.#besideEnd;
    return this.#isBeside(start, kept.print(count, kept.beside, kept.besideView, start, ROOM), after);
  }

  #array(from: number): number {
    if (++this.#depth > MAX_DEPTH) return -1;
    const bytes = this.#bytes;
    const end = this.#end;
    const { kept } = this;
    const base = kept.top;
    let p = skipSpace(bytes, from + 1, end);
    let at = from + 1;
    let stands = true;
    if (p >= end) return -1;
    while (bytes[p] !== CLOSE_BRACKET || kept.top > base) {
      const element = p;
      p = this.read(p);
      if (p < 0 || !kept.keep(this.from, this.to, this.where)) return -1;
      if (element !== at || this.where !== SOURCE) stands = false;
      at = p + 2;
      p = skipSpace(bytes, p, end);
      if (p >= end) return -1;
      if (bytes[p] === CLOSE_BRACKET) break;
      if (bytes[p] !== COMMA) return -1;
      if (p !== at - 2 || bytes[at - 1] !== SPACE) stands = false;
      p = skipSpace(bytes, p + 1, end);
    }
    this.#depth--;
    const { top } = kept;
    kept.top = base;
    const last = top > base ? at - 2 : at;
    if (stands && last === p) return this.#stands(from, p + 1);
    const start = this.#besideEnd;
    return this.#isBeside(start, kept.printList(base, top, start), p + 1);
  }
}

/** Behind the white space at `p`, of which there is most often none or one blank. */
function behindSpace(bytes: Buffer, view: DataView, p: number, end: number): number {
  if (p >= end || view.getUint8(p) > 0x20) return p;
  const next = (p + 1) | 0;
  return next < end && view.getUint8(p) === 0x20 && view.getUint8(next) > 0x20 ? next : skipSpace(bytes, p, end);
}
