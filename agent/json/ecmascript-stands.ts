/**
 * Whether a value stands just as JavaScript's `JSON.stringify` prints it, told without printing it. An answer of -1 means no more than
 * that ecmascript.ts has to print it: what is rare is left to it.
 */
import { isHighSurrogate, isLetterless, isLowSurrogate, printedUnit } from "./escapes.ts";
import { skipEscape, skipPlain, skipScalar } from "./lexer.ts";

/** Deeper values are left to the slow path. */
const MAX_DEPTH = 32;
/** Members of one object whose keys are compared with each other. */
const MAX_MEMBERS = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const COMMA = 0x2c;

/** Spans of the keys of the objects that are open, two numbers each. */
const keys = new Int32Array(MAX_DEPTH * MAX_MEMBERS * 2);
let keysEnd = 0;

/** From a value's first byte to behind its last; -1 where it may be printed otherwise. Whether all is UTF-8 is the
 * caller's to see. */
export function stands(bytes: Buffer, view: DataView, p: number, end: number): number {
  keysEnd = 0;
  return value(bytes, view, p, end, 0);
}

function value(bytes: Buffer, view: DataView, p: number, end: number, depth: number): number {
  if (p >= end) return -1;
  const c = bytes[p]!;
  if (c === QUOTE) return text(bytes, view, p, end);
  if (c === 0x7b) return depth < MAX_DEPTH ? object(bytes, view, p, end, depth) : -1;
  if (c === 0x5b) return depth < MAX_DEPTH ? array(bytes, view, p, end, depth) : -1;
  const after = skipScalar(bytes, view, p, end);
  if (c === 0x74 || c === 0x66 || (c === 0x6e && after === p + 4)) return after;
  return after > 0 && isPrintedNumber(bytes, p, after) ? after : -1;
}

/** JavaScript prints integers of up to 15 digits as they are, but for -0; others are printed to see. */
function isPrintedNumber(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes[from] === 0x2d ? from + 1 : from;
  let digits = first;
  while (digits < to && bytes[digits]! >= 0x30 && bytes[digits]! <= 0x39) digits++;
  // NaN and Infinity, which are Python's.
  if (digits === first) return false;
  if (digits === to && to - first <= 15) return first === from || bytes[first] !== 0x30;
  const token = bytes.toString("latin1", from, to);
  return String(Number(token)) === token;
}

function text(bytes: Buffer, view: DataView, from: number, end: number): number {
  let p = skipPlain(view, (from + 1) | 0, end);
  for (;;) {
    if (p >= end) return -1;
    const c = bytes[p]!;
    if (c === QUOTE) return p + 1;
    if (c < 0x20) return -1;
    const width = c === BACKSLASH ? printedEscape(bytes, p, end) : 1;
    if (width === 0) return -1;
    p = skipPlain(view, p + width, end);
  }
}

/** Bytes of an escape that JavaScript prints so; 0 for any other. */
function printedEscape(bytes: Buffer, p: number, end: number): number {
  const after = skipEscape(bytes, p, end);
  if (after !== p + 6) return after < 0 || bytes[p + 1] === SLASH ? 0 : 2;
  const unit = printedUnit(bytes, p, end);
  // Surrogates that are no pair: a high one is met before its low one.
  if (isHighSurrogate(unit)) return isLowSurrogate(printedUnit(bytes, p + 6, end)) ? 0 : 6;
  return isLetterless(unit) || isLowSurrogate(unit) ? 6 : 0;
}

function array(bytes: Buffer, view: DataView, from: number, end: number, depth: number): number {
  let p = from + 1;
  if (p < end && bytes[p] === 0x5d) return p + 1;
  for (;;) {
    p = value(bytes, view, p, end, depth + 1);
    if (p < 0 || p >= end) return -1;
    if (bytes[p] === 0x5d) return p + 1;
    if (bytes[p] !== COMMA) return -1;
    p++;
  }
}

function object(bytes: Buffer, view: DataView, from: number, end: number, depth: number): number {
  const base = keysEnd;
  let lastIndex = -1;
  let p = from + 1;
  if (p < end && bytes[p] === 0x7d) return p + 1;
  for (;;) {
    const key = p;
    if (p >= end || bytes[p] !== QUOTE) return -1;
    p = text(bytes, view, p, end);
    if (p < 0 || p >= end || bytes[p] !== 0x3a || isKnown(bytes, base, key, p)) return -1;
    // Array indices come first, in their order.
    const index = indexAt(bytes, key + 1, p - 1);
    if (index >= 0 && index <= lastIndex) return -1;
    lastIndex = index < 0 ? Number.POSITIVE_INFINITY : index;
    p = value(bytes, view, p + 1, end, depth + 1);
    if (p < 0 || p >= end) return -1;
    if (bytes[p] === 0x7d) {
      keysEnd = base;
      return p + 1;
    }
    if (bytes[p] !== COMMA) return -1;
    p++;
  }
}

/** The array index that a key is; -1 where it is none. */
function indexAt(bytes: Buffer, from: number, to: number): number {
  if (to === from || to - from > 10 || (bytes[from] === 0x30 && to - from > 1)) return -1;
  let index = 0;
  for (let p = from; p < to; p++) {
    const c = bytes[p]!;
    if (c < 0x30 || c > 0x39) return -1;
    index = index * 10 + (c - 0x30);
  }
  return index < 2 ** 32 - 1 ? index : -1;
}

/** Keeps a key; true where the object has it already, or has too many. */
function isKnown(bytes: Buffer, base: number, from: number, to: number): boolean {
  if (keysEnd - base >= 2 * MAX_MEMBERS) return true;
  for (let k = base; k < keysEnd; k += 2) {
    if (keys[k + 1]! - keys[k]! !== to - from) continue;
    let i = from;
    let o = keys[k]!;
    while (i < to && bytes[i] === bytes[o]) {
      i++;
      o++;
    }
    if (i === to) return true;
  }
  keys[keysEnd] = from;
  keys[keysEnd + 1] = to;
  keysEnd += 2;
  return false;
}
