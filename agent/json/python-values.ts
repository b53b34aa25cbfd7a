/**
 * Values for python-writer.ts: reads one, and says where its text stands as Python prints it: in the entry, where that is just so, or
 * beside, printed anew. Its answers are fields, because an object per value would cost more than the reading.
 */
import { skipNumber, skipScalar, skipSpace } from "./lexer.ts";
import { pythonScalar, pythonString } from "./python.ts";
import { compareKeys } from "./python-keys.ts";
import { isPrinted } from "./python-number.ts";
import { escapeAt, skipPrinted } from "./python-text.ts";
import { decodeString } from "./value.ts";
import { copyText, viewOver } from "./words.ts";

/** Longer entries are not for the fast path. */
export const MAX_ENTRY = 65_536;
/** Bytes an entry may grow to: `1e15` is printed as `1000000000000000.0`. */
export const ROOM = 8 * MAX_ENTRY;
/** Deeper values are not for the fast path. */
const MAX_DEPTH = 24;
/** Objects with more members are sorted by the library. */
const FEW = 24;

/** Where a value's text is: in the entry, or beside. */
export const SOURCE = 0;
export const BESIDE = 1;

/** Numbers per value in `frames`: from, to, where. A member has its key's before. */
export const VALUE = 3;
const MEMBER = 2 * VALUE;

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
  /** Values that are kept, a stack. A plain array: V8 asks a typed one at each use whether it was detached. */
  readonly frames: number[] = Array.from({ length: MAX_ENTRY * VALUE }, () => 0);
  top = 0;
  /** Frames of an object's members in Python's order, filled by `sort`. */
  order: number[] = Array.from({ length: 64 }, () => 0);
  readonly beside: Buffer = Buffer.allocUnsafeSlow(ROOM);
  readonly besideView: DataView = viewOver(this.beside);
  #besideEnd = 0;
  #depth = 0;
  #bytes: Buffer = this.beside;
  #view: DataView = this.besideView;
  #end = 0;

  /** Another entry, up to `end`. */
  begin(bytes: Buffer, view: DataView, end: number): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#end = end;
    this.#besideEnd = 0;
    this.#depth = 0;
    this.top = 0;
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

  /** Keeps the value read last; false where there is no room. */
  keep(): boolean {
    const { frames, top } = this;
    if (top + VALUE > frames.length) return false;
    frames[top] = this.from;
    frames[top + 1] = this.to;
    frames[top + 2] = this.where;
    this.top = top + VALUE;
    return true;
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
        const { frames, top } = this;
        if (top + VALUE > frames.length) return -1;
        const after = (close + 1) | 0;
        frames[top] = p;
        frames[top + 1] = after;
        frames[top + 2] = SOURCE;
        this.top = (top + VALUE) | 0;
        return after;
      }
    }
    const after = this.read(p);
    return after < 0 || !this.keep() ? -1 : after;
  }

  /** Puts the members kept from `base` on in Python's order, of equal keys the last; answers how many. They are then no longer on the stack. */
  sort(base: number): number {
    const members = (this.top - base) / MEMBER;
    if (members > this.order.length) this.order = Array.from({ length: 2 * members }, () => 0);
    const order = this.order;
    this.top = base;
    if (members > FEW) {
      // The sort is stable: of equal keys the last one stays the last.
      const sorted = Array.from({ length: members }, (_, i) => base + i * MEMBER).sort((a, b) => this.#compare(a, b));
      const kept = sorted.filter((frame, i) => i + 1 === members || this.#compare(frame, sorted[i + 1]!) !== 0);
      for (const [i, frame] of kept.entries()) order[i] = frame;
      return kept.length;
    }
    let count = 0;
    for (let i = 0, frame = base; i < members; i++, frame += MEMBER) {
      let at = count;
      let difference = 1;
      while (at > 0) {
        difference = this.#compare(frame, order[at - 1]!);
        if (difference >= 0) break;
        at--;
      }
      if (at > 0 && difference === 0) {
        order[at - 1] = frame;
        continue;
      }
      for (let k = count; k > at; k--) order[k] = order[k - 1]!;
      order[at] = frame;
      count++;
    }
    return count;
  }

  /** Prints the first `count` of `order` as an object whose brace comes to stand at `at`; answers its end, -1 where there is no room. */
  print(count: number, out: Buffer, view: DataView, start: number, room: number): number {
    const { frames, order } = this;
    if (start + 2 > room) return -1;
    out[start] = OPEN_BRACE;
    let at = start + 1;
    for (let i = 0; i < count; i++) {
      const frame = order[i]!;
      if (at + frames[frame + 1]! - frames[frame]! + frames[frame + 4]! - frames[frame + 3]! + 16 > room) return -1;
      if (i > 0) {
        out[at++] = COMMA;
        out[at++] = SPACE;
      }
      at = this.#copy(frame, out, view, at);
      out[at++] = COLON;
      out[at++] = SPACE;
      at = this.#copy(frame + VALUE, out, view, at);
    }
    out[at] = CLOSE_BRACE;
    return at + 1;
  }

  /** Whether the key of a member is the one printed as `text`. */
  isKey(frame: number, text: Buffer): boolean {
    const { frames } = this;
    const bytes = frames[frame + 2] === SOURCE ? this.#bytes : this.beside;
    return bytes.compare(text, 0, text.length, frames[frame], frames[frame + 1]) === 0;
  }

  #compare(a: number, b: number): number {
    const { frames } = this;
    const left = frames[a + 2] === SOURCE ? this.#bytes : this.beside;
    const right = frames[b + 2] === SOURCE ? this.#bytes : this.beside;
    return compareKeys(left, frames[a]!, frames[a + 1]!, right, frames[b]!, frames[b + 1]!);
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
    return this.#isBeside(from, from + this.beside.write(text, from, "latin1"), after);
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
    const base = this.top;
    const after = this.members(from);
    if (after < 0) return -1;
    this.#depth--;
    const top = this.top;
    const count = this.sort(base);
    if (this.#standsSorted(count, base, top, from, after)) return this.#stands(from, after);
    const start = this.#besideEnd;
    return this.#isBeside(start, this.print(count, this.beside, this.besideView, start, ROOM), after);
  }

  /** Whether Python would print the object just so: members in order, each where it is expected, and none of them beside. */
  #standsSorted(count: number, base: number, top: number, from: number, after: number): boolean {
    const { frames, order } = this;
    const bytes = this.#bytes;
    if (count * MEMBER !== top - base) return false;
    let at = from + 1;
    for (let i = 0, frame = base; i < count; i++, frame += MEMBER) {
      if (order[i] !== frame || frames[frame + 2] !== SOURCE || frames[frame + 5] !== SOURCE) return false;
      if (i > 0) {
        if (bytes[at] !== COMMA || bytes[at + 1] !== SPACE) return false;
        at += 2;
      }
      const colon = frames[frame + 1]!;
      if (frames[frame] !== at || frames[frame + 3] !== colon + 2) return false;
      if (bytes[colon] !== COLON || bytes[colon + 1] !== SPACE) return false;
      at = frames[frame + 4]!;
    }
    return at + 1 === after;
  }

  #array(from: number): number {
    if (++this.#depth > MAX_DEPTH) return -1;
    const bytes = this.#bytes;
    const end = this.#end;
    const base = this.top;
    let p = skipSpace(bytes, from + 1, end);
    let at = from + 1;
    let stands = true;
    if (p >= end) return -1;
    while (bytes[p] !== CLOSE_BRACKET || this.top > base) {
      const element = p;
      p = this.read(p);
      if (p < 0 || !this.keep()) return -1;
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
    const top = this.top;
    this.top = base;
    const last = top > base ? at - 2 : at;
    if (stands && last === p) return this.#stands(from, p + 1);
    const start = this.#besideEnd;
    return this.#isBeside(start, this.#printList(base, top, start), p + 1);
  }

  #printList(base: number, top: number, start: number): number {
    const { frames, beside, besideView } = this;
    if (start + 2 > ROOM) return -1;
    beside[start] = OPEN_BRACKET;
    let at = start + 1;
    for (let frame = base; frame < top; frame += VALUE) {
      if (at + frames[frame + 1]! - frames[frame]! + 8 > ROOM) return -1;
      if (frame > base) {
        beside[at++] = COMMA;
        beside[at++] = SPACE;
      }
      at = this.#copy(frame, beside, besideView, at);
    }
    beside[at] = CLOSE_BRACKET;
    return at + 1;
  }

  #copy(frame: number, out: Buffer, view: DataView, at: number): number {
    const { frames } = this;
    const from = frames[frame]!;
    const to = frames[frame + 1]!;
    return frames[frame + 2] === SOURCE
      ? copyText(this.#bytes, this.#view, from, to, out, view, at)
      : copyText(this.beside, this.besideView, from, to, out, view, at);
  }
}

/** Behind the white space at `p`, of which there is most often none or one blank. */
function behindSpace(bytes: Buffer, view: DataView, p: number, end: number): number {
  if (p >= end || view.getUint8(p) > 0x20) return p;
  const next = (p + 1) | 0;
  return next < end && view.getUint8(p) === 0x20 && view.getUint8(next) > 0x20 ? next : skipSpace(bytes, p, end);
}
