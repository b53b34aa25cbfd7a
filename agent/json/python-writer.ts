/**
 * Python's canonical form (python.ts), made at the speed of a copy: values that Python would write as they stand are copied, the others
 * are printed anew beside, and the members of each object are put together in Python's order.
 *
 * It answers for entries as writers write them. What is too deep, too long or not valid is left to the slow path.
 */
import { isUtf8 } from "node:buffer";
import { finish, skipSpace, viewOf } from "./lexer.ts";
import { pythonString } from "./python.ts";
import { BESIDE, MAX_ENTRY, ROOM, SOURCE, VALUE } from "./python-frames.ts";
import { type Joint, Shapes } from "./python-shapes.ts";
import { skipPrinted } from "./python-text.ts";
import { PythonValues } from "./python-values.ts";
import { findMember } from "./value.ts";
import { copyText, viewOver } from "./words.ts";

/** Room before the text, for what is hashed before it. */
export const LEAD = 128;

/** In the entry, but not right behind its joint. */
const SPACED = 2;

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

export class PythonWriter {
  /** The text is from `LEAD` to what `write` answers; the byte before it is lost. */
  readonly out: Buffer = Buffer.allocUnsafeSlow(LEAD + ROOM);
  readonly outView: DataView = viewOver(this.out);
  /** For those who share the writer: what they have put before `LEAD`. */
  lead = "";
  /** Spans of the values of the keys left out, in the entry, two numbers each; 0 where there is none. */
  readonly picked: Uint32Array;
  readonly #without: readonly string[];
  readonly #printedWithout: readonly Buffer[];
  readonly #shapes: Shapes;
  readonly #values = new PythonValues();

  /** `without`: top-level keys that are left out of the text. */
  constructor(without: readonly string[]) {
    this.#without = without;
    this.#printedWithout = without.map((key) => Buffer.from(pythonString(key), "latin1"));
    this.#shapes = new Shapes(without);
    this.picked = new Uint32Array(without.length * 2);
  }

  /** Writes the text of the object from `start` to `end` into `out`; answers where it ends, or -1 where the slow path has to. */
  write(bytes: Buffer, start: number, end: number): number {
    if (end - start > MAX_ENTRY || start >= end || bytes[start] !== OPEN_BRACE) return -1;
    const values = this.#values;
    const view = viewOf(bytes);
    values.begin(bytes, view, end);
    for (let i = 0; i < this.picked.length; i++) this.picked[i] = 0;
    const to = this.#known(bytes, view, start, end);
    const result = to === 0 ? this.#unknown(bytes, view, start, end) : to;
    return values.wide && !isUtf8(bytes.subarray(start, end)) ? -1 : result;
  }

  /** By its shape. 0: it has none that is known. */
  #known(bytes: Buffer, view: DataView, start: number, end: number): number {
    const values = this.#values;
    const { kept } = values;
    const { frames } = kept;
    // A joint's last word may be read beyond the entry, never beyond the buffer.
    const limit = Math.min(end, bytes.length - 3);
    const root = this.#shapes.root;
    let joint = root;
    let p = start | 0;
    for (let top = 0; ; top = (top + VALUE) | 0) {
      if (p < end && view.getUint8(p) === CLOSE_BRACE && joint !== root) break;
      const next = joint.matching(view, p, limit) ?? this.#shapes.learn(joint, bytes, view, p, end);
      if (next === undefined) {
        p = skipSpace(bytes, p, end);
        if (joint === root || p >= end || bytes[p] !== CLOSE_BRACE) return 0;
        break;
      }
      let value = (p + next.length) | 0;
      const spaced = value < end && view.getUint8(value) <= 0x20;
      // More space before the value than its joint has.
      if (spaced) value = skipSpace(bytes, value, end);
      // Most values are plain strings: without a call, and without the fields.
      p = value < end && view.getUint8(value) === QUOTE ? skipPrinted(view, (value + 1) | 0, end) : end;
      if (p < end && view.getUint8(p) === QUOTE) {
        p = (p + 1) | 0;
        frames[top] = value;
        frames[top + 1] = p;
        frames[top + 2] = spaced ? SPACED : SOURCE;
      } else {
        kept.top = top + VALUE;
        p = values.read(value) | 0;
        if (p < 0) return -1;
        frames[top] = values.from;
        frames[top + 1] = values.to;
        frames[top + 2] = spaced && values.where === SOURCE ? SPACED : values.where;
      }
      if (next.picked >= 0) {
        this.picked[next.picked * 2] = value;
        this.picked[next.picked * 2 + 1] = p;
      }
      joint = next;
    }
    return finish(bytes, p + 1, end) ? this.#print(joint.plan(), bytes, view) : -1;
  }

  #print(plan: readonly Joint[], bytes: Buffer, view: DataView): number {
    const { out, outView } = this;
    const { frames, beside, besideView } = this.#values.kept;
    // What is copied as it stands is no more than the entry; the rest has to leave room for it.
    const room = (out.length - MAX_ENTRY) | 0;
    let at = LEAD - 1;
    for (let i = 0; i < plan.length; i = (i + 1) | 0) {
      const joint = plan[i]!;
      const { frame } = joint;
      const from = frames[frame]!;
      const to = frames[frame + 1]!;
      const where = frames[frame + 2]!;
      if (where === SOURCE && joint.same) {
        // The joint stands before its value as it is to be printed.
        at = copyText(bytes, view, (from - joint.printedLength) | 0, to, out, outView, at);
        continue;
      }
      if (at + joint.printedLength + (to - from) + 8 > room) return -1;
      at = copyText(joint.printed, joint.printedView, 0, joint.printedLength, out, outView, at);
      at =
        where === BESIDE
          ? copyText(beside, besideView, from, to, out, outView, at)
          : copyText(bytes, view, from, to, out, outView, at);
    }
    if (plan.length === 0) at = LEAD + 1;
    out[LEAD] = OPEN_BRACE;
    out[at] = CLOSE_BRACE;
    return at + 1;
  }

  /** As any other object: its keys are read and sorted. */
  #unknown(bytes: Buffer, view: DataView, start: number, end: number): number {
    const values = this.#values;
    values.begin(bytes, view, end);
    const after = values.members(start);
    if (after < 0 || !finish(bytes, after, end)) return -1;
    const { kept } = values;
    const all = kept.sort(0);
    const { order } = kept;
    let count = 0;
    for (let i = 0; i < all; i++) {
      const frame = order[i]!;
      if (!this.#printedWithout.some((key) => kept.isKey(frame, key))) order[count++] = frame;
    }
    for (const [i, key] of this.#without.entries()) {
      const span = findMember(bytes, start, end, key);
      this.picked[i * 2] = span?.start ?? 0;
      this.picked[i * 2 + 1] = span?.end ?? 0;
    }
    return kept.print(count, this.out, this.outView, LEAD, LEAD + ROOM);
  }
}
