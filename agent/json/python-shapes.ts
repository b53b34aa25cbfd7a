/**
 * Shapes: the top-level keys of entries, in the order they come, as a tree. Writers repeat themselves, so between two values stand the
 * same bytes as in an entry before; a joint keeps that text, knows its key without reading it, and the last one of an entry knows the
 * order in which Python prints the members. Joints are compared in full, so no answer depends on what came before.
 */
import { isUtf8 } from "node:buffer";
import { lexed, skipKey, skipSpace } from "./lexer.ts";
import { compareCodePoints, pythonString } from "./python.ts";
import { VALUE } from "./python-frames.ts";
import { decodeString } from "./value.ts";
import { doublesOf, viewOver } from "./words.ts";

/** Joints that are kept. Entries with others are read the ordinary way: hostile keys cost time, never memory. */
const MAX_JOINTS = 1024;
/** So many entries of unknown shape, and what is kept is forgotten: the writers may be others now. */
const MAX_MISSES = 100_000;
/** Bytes of a joint. */
const MAX_JOINT = 256;
/** Joints after one and the same. */
const MAX_NEXT = 16;

/** What stands between two values: the end of one member and the key of the next. */
export class Joint {
  /** The text in the file. */
  readonly text: Buffer;
  readonly doubles: readonly number[];
  readonly length: number;
  /** Its first four bytes and its last, for texts shorter than a double. */
  readonly head: number;
  readonly tail: number;
  readonly key: string;
  /** What Python writes instead: `, "key": `. */
  readonly printed: Buffer;
  readonly printedView: DataView;
  readonly printedLength: number;
  /** The text is just that. */
  readonly same: boolean;
  /** Index among the keys that are left out and whose values are looked for; -1 for all others. */
  readonly picked: number;
  readonly parent: Joint | undefined;
  /** How many members come before. */
  readonly index: number;
  /** Where its value is kept among the frames. */
  readonly frame: number;
  /** The joints that were seen next; the one that fitted last is tried first. */
  readonly next: Joint[] = [];
  hit = 0;
  #plan: readonly Joint[] | undefined;

  constructor(text: Buffer, key: string, parent: Joint | undefined, picked: number) {
    const printed = Buffer.from(`, ${pythonString(key)}: `, "latin1");
    this.length = text.length;
    this.text = text;
    this.doubles = doublesOf(text);
    this.head = text.length < 4 ? 0 : text.readInt32LE(0);
    this.tail = text.length < 4 ? 0 : text.readInt32LE(text.length - 4);
    this.key = key;
    this.printed = printed;
    this.printedView = viewOver(printed);
    this.printedLength = printed.length;
    this.same = text.equals(printed);
    this.picked = picked;
    this.parent = parent;
    this.index = parent === undefined ? -1 : parent.index + 1;
    this.frame = this.index * VALUE;
  }

  /** The members of an entry that ends after this one, as Python prints them: sorted, the last of duplicates, without those picked. */
  plan(): readonly Joint[] {
    if (this.#plan !== undefined) return this.#plan;
    const last = new Map<string, Joint>();
    for (let joint: Joint | undefined = this; joint !== undefined && joint.index >= 0; joint = joint.parent) {
      if (joint.picked < 0 && !last.has(joint.key)) last.set(joint.key, joint);
    }
    this.#plan = [...last.values()].sort((a, b) => compareCodePoints(a.key, b.key));
    return this.#plan;
  }

  /** The joint that comes next at `p`, by its text; a text that ends at `limit` or behind it is none. */
  matching(view: DataView, p: number, limit: number): Joint | undefined {
    const { next, hit } = this;
    for (let tries = 0, i = hit; tries < next.length; tries = (tries + 1) | 0, i = (i + 1) | 0) {
      if (i === next.length) i = 0;
      const joint = next[i]!;
      const { doubles, length } = joint;
      if (((p + length) | 0) >= limit) continue;
      if (length < 8) {
        if (view.getInt32(p, true) !== joint.head || view.getInt32((p + length - 4) | 0, true) !== joint.tail) continue;
        this.hit = i;
        return joint;
      }
      const last = (doubles.length - 1) | 0;
      let w = 0;
      let at = p | 0;
      while (w < last && view.getFloat64(at, true) === doubles[w]) {
        w = (w + 1) | 0;
        at = (at + 8) | 0;
      }
      if (w < last || view.getFloat64((p + length - 8) | 0, true) !== doubles[last]) continue;
      this.hit = i;
      return joint;
    }
    return undefined;
  }
}

export class Shapes {
  readonly #picked: readonly string[];
  #joints = 0;
  #misses = 0;
  /** Before the first member of an entry. */
  root = new Joint(Buffer.alloc(0), "", undefined, -1);

  /** `picked`: keys that are left out of what is printed. */
  constructor(picked: readonly string[]) {
    this.#picked = picked;
  }

  /** Keeps the joint at `from` (a brace or what follows a value); undefined where there is none, or it is not to be kept. */
  learn(before: Joint, bytes: Buffer, view: DataView, from: number, end: number): Joint | undefined {
    if (this.#joints >= MAX_JOINTS || before.next.length >= MAX_NEXT) {
      if (++this.#misses >= MAX_MISSES) this.#forget();
      return undefined;
    }
    let p = skipSpace(bytes, from, end);
    if (p >= end || bytes[p] !== (before.index < 0 ? 0x7b : 0x2c)) return undefined;
    p = skipSpace(bytes, p + 1, end);
    const value = skipKey(bytes, view, p, end);
    if (value < 0 || value - from > MAX_JOINT) return undefined;
    const text = Buffer.from(bytes.subarray(from, value));
    if (!isUtf8(text)) return undefined;
    // It may be known, and not be compared by words: not ASCII, or too near to the entry's end.
    const known = before.next.find((joint) => joint.text.equals(text));
    if (known !== undefined) return known;
    const key = decodeString(bytes, p, lexed.keyEnd);
    const joint = new Joint(text, key, before, this.#picked.indexOf(key));
    before.next.push(joint);
    this.#joints++;
    return joint;
  }

  #forget(): void {
    this.#joints = 0;
    this.#misses = 0;
    this.root = new Joint(Buffer.alloc(0), "", undefined, -1);
  }
}
