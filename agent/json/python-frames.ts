/**
 * Values that python-writer.ts has read and not yet printed, and how they are put together: members in Python's order, elements as they
 * stand. Each is three numbers, because an object per value would cost more than the reading.
 */
import { compareKeys } from "./python-keys.ts";
import { copyText, viewOver } from "./words.ts";

/** Longer entries are not for the fast path. */
export const MAX_ENTRY = 65_536;
/** Bytes an entry may grow to: `1e15` is printed as `1000000000000000.0`. */
export const ROOM = 8 * MAX_ENTRY;
/** Objects with more members are sorted by the library. */
const FEW = 24;

/** Where a value's text is: in the entry, or beside. */
export const SOURCE = 0;
export const BESIDE = 1;

/** Numbers per value in `frames`: from, to, where. A member has its key's before. */
export const VALUE = 3;
const MEMBER = 2 * VALUE;

const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;

export class PythonFrames {
  /** A stack. A plain array: V8 asks a typed one at each use whether it was detached. */
  readonly frames: number[] = Array.from({ length: MAX_ENTRY * VALUE }, () => 0);
  top = 0;
  /** Frames of an object's members in Python's order, filled by `sort`. */
  order: number[] = Array.from({ length: 64 }, () => 0);
  /** What was printed anew. */
  readonly beside: Buffer = Buffer.allocUnsafeSlow(ROOM);
  readonly besideView: DataView = viewOver(this.beside);
  #bytes: Buffer = this.beside;
  #view: DataView = this.besideView;

  /** Another entry. */
  begin(bytes: Buffer, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
    this.top = 0;
  }

  /** False where there is no room. */
  keep(from: number, to: number, where: number): boolean {
    const { frames, top } = this;
    if (top + VALUE > frames.length) return false;
    frames[top] = from;
    frames[top + 1] = to;
    frames[top + 2] = where;
    this.top = (top + VALUE) | 0;
    return true;
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

  /** Whether Python would print the object just so: members in order, each where it is expected, and none of them beside. */
  standsSorted(count: number, base: number, top: number, from: number, after: number): boolean {
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

  /** Prints the values from `base` to `top` as an array. */
  printList(base: number, top: number, start: number): number {
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
