/**
 * JSON's tokens on bytes: RFC 8259, and beside it `NaN`, `Infinity` and `-Infinity`, as Python writes them. UTF-8 is judged elsewhere
 * (natively, on whole batches). Every function takes the position of a token's first byte and answers the position behind its last, or
 * -1; then `lexed` says what was wrong, and where. None reads at or beyond `end`, recurses, or allocates.
 */

/** Containers deeper than this are refused: a bound on memory, not on time. */
export const MAX_DEPTH = 65_536;

export const Fault = {
  none: 0,
  byte: 1,
  end: 2,
  unterminated: 3,
  escape: 4,
  control: 5,
  number: 6,
  depth: 7,
} as const;

/** What the last call found beside the end of its token. Module state, because a returned object per value would cost more than the scan. */
export const lexed = {
  /** Set where NaN or an Infinity was passed; the caller resets it. */
  nonFinite: false,
  fault: 0 as number,
  /** Where the fault is, an index into the buffer. */
  at: 0,
  /** Behind the closing quote of the key that `skipKey` passed last. */
  keyEnd: 0,
  /** Counts escapes: unchanged over a string without any. */
  escapes: 0,
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

// Four bytes at once, little endian, for `DataView.getInt32(p, true)`.
const TRUE = 0x65757274;
const NULL = 0x6c6c756e;
const FALS = 0x736c6166;
const INFI = 0x69666e49;
const NITY = 0x7974696e;

const HEX = new Uint8Array(256);
for (const c of "0123456789abcdefABCDEF") HEX[c.charCodeAt(0)] = 1;
const ESCAPE = new Uint8Array(256);
for (const c of '"\\/bfnrt') ESCAPE[c.charCodeAt(0)] = 1;

/** 1 while inside an object, per open container. Used by one call at a time. */
const stack = new Uint8Array(MAX_DEPTH);

/** Records a fault; answers -1. */
export function fail(fault: number, at: number): -1 {
  lexed.fault = fault;
  lexed.at = at;
  return -1;
}

/** Fault of a byte that may not stand here, or of an end that comes too early. */
export function unexpected(at: number, end: number): -1 {
  return fail(at < end ? Fault.byte : Fault.end, at);
}

export function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let p = from | 0;
  while (p < end) {
    const c = bytes[p]!;
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    p = (p + 1) | 0;
  }
  return p;
}

/** From an opening quote to behind the closing one. */
export function skipString(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  let p = skipPlain(view, (from + 1) | 0, end);
  for (;;) {
    if (p >= end) return fail(Fault.unterminated, from);
    const c = view.getUint8(p);
    if (c === QUOTE) return (p + 1) | 0;
    if (c === BACKSLASH) {
      p = skipEscape(bytes, p, end);
      if (p < 0) return -1;
    } else if (c < 0x20) {
      return fail(Fault.control, p);
    } else {
      p = (p + 1) | 0;
    }
    p = skipPlain(view, p, end);
  }
}

/**
 * To the first quote, backslash or control character, or to one of the last three bytes. A loop without calls, so that all of it stays in
 * registers.
 */
export function skipPlain(view: DataView, from: number, end: number): number {
  const last = (end - 4) | 0;
  let p = from | 0;
  while (p <= last) {
    const word = view.getInt32(p, true);
    const hits = hitsOf(word);
    if (hits !== 0) return (p + firstOf(hits)) | 0;
    p = (p + 4) | 0;
  }
  return p;
}

/**
 * The high bit of each of four bytes that is a quote or control character (below 0x21 once bit 1 is flipped) or a backslash. Borrows make
 * false hits only above a true one, so the lowest is exact.
 */
export function hitsOf(word: number): number {
  return (((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101)) & ~word & -0x7f7f7f80;
}

/** Which of the four bytes is the first with its high bit in `hits`, which is not 0. */
export function firstOf(hits: number): number {
  return (31 - Math.clz32(hits & -hits)) >> 3;
}

/** From a backslash to behind its escape. */
export function skipEscape(bytes: Uint8Array, p: number, end: number): number {
  lexed.escapes++;
  if (p + 1 >= end) return fail(Fault.end, end);
  const c = bytes[p + 1]!;
  if (ESCAPE[c] === 1) return p + 2;
  if (c !== 0x75) return fail(Fault.escape, p);
  if (p + 6 > end) return fail(Fault.escape, p);
  const good = HEX[bytes[p + 2]!]! + HEX[bytes[p + 3]!]! + HEX[bytes[p + 4]!]! + HEX[bytes[p + 5]!]!;
  return good === 4 ? p + 6 : fail(Fault.escape, p);
}

/** A literal or a number. */
export function skipScalar(bytes: Uint8Array, view: DataView, p: number, end: number): number {
  if (p >= end) return fail(Fault.end, p);
  if (p + 4 <= end) {
    const word = view.getInt32(p, true);
    if (word === NULL || word === TRUE) return p + 4;
    if (word === FALS && p + 5 <= end && bytes[p + 4] === 0x65) return p + 5;
  }
  const c = bytes[p]!;
  if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return skipNumber(bytes, view, p, end);
  return skipNonFinite(bytes, view, p, end);
}

function skipNonFinite(bytes: Uint8Array, view: DataView, p: number, end: number): number {
  if (p + 3 <= end && bytes[p] === 0x4e && bytes[p + 1] === 0x61 && bytes[p + 2] === 0x4e) {
    lexed.nonFinite = true;
    return p + 3;
  }
  if (p + 8 <= end && view.getInt32(p, true) === INFI && view.getInt32(p + 4, true) === NITY) {
    lexed.nonFinite = true;
    return p + 8;
  }
  return unexpected(p, end);
}

function skipDigits(bytes: Uint8Array, from: number, end: number): number {
  let p = from | 0;
  while (p < end) {
    const c = bytes[p]!;
    if (c < 0x30 || c > 0x39) break;
    p = (p + 1) | 0;
  }
  return p;
}

export function skipNumber(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  let p = from;
  if (bytes[p] === 0x2d) p++;
  if (p >= end) return fail(Fault.number, from);
  const first = bytes[p]!;
  if (first === 0x30) {
    p++;
  } else if (first > 0x30 && first <= 0x39) {
    p = skipDigits(bytes, p + 1, end);
  } else {
    return first === 0x49 ? skipNonFinite(bytes, view, p, end) : fail(Fault.number, from);
  }
  if (p < end && bytes[p] === 0x2e) {
    const digits = p + 1;
    p = skipDigits(bytes, digits, end);
    if (p === digits) return fail(Fault.number, from);
  }
  if (p < end && (bytes[p]! | 0x20) === 0x65) {
    p++;
    if (p < end && (bytes[p] === 0x2b || bytes[p] === 0x2d)) p++;
    const digits = p;
    p = skipDigits(bytes, digits, end);
    if (p === digits) return fail(Fault.number, from);
  }
  return p;
}

/** Any value. */
export function skipValue(bytes: Uint8Array, view: DataView, p: number, end: number): number {
  if (p >= end) return fail(Fault.end, p);
  const c = bytes[p]!;
  if (c === QUOTE) return skipString(bytes, view, p, end);
  if (c === OPEN_BRACE || c === OPEN_BRACKET) return skipContainer(bytes, view, p, end);
  return skipScalar(bytes, view, p, end);
}

/** From a key's quote to its value: key, colon and the space around it. */
export function skipKey(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  if (from >= end || view.getUint8(from) !== QUOTE) return unexpected(from, end);
  let p = skipString(bytes, view, from, end) | 0;
  if (p < 0) return -1;
  lexed.keyEnd = p;
  if (p >= end || view.getUint8(p) !== 0x3a) {
    p = skipSpace(bytes, p, end) | 0;
    if (p >= end || view.getUint8(p) !== 0x3a) return unexpected(p, end);
  }
  p = (p + 1) | 0;
  return p < end && view.getUint8(p) > 0x20 ? p : skipSpace(bytes, p, end);
}

/** An object or an array, whole. */
function skipContainer(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  let p = from | 0;
  let depth = 0;
  let inObject = view.getUint8(p) === OPEN_BRACE;
  entered: for (;;) {
    p = skipSpace(bytes, (p + 1) | 0, end) | 0;
    if (p >= end) return fail(Fault.end, p);
    let closing = view.getUint8(p) === (inObject ? CLOSE_BRACE : CLOSE_BRACKET);
    // One round per member, and one per closing bracket.
    for (;;) {
      if (closing) {
        p = (p + 1) | 0;
        if (depth === 0) return p;
        depth = (depth - 1) | 0;
        inObject = stack[depth] === 1;
      } else {
        if (inObject) {
          p = skipKey(bytes, view, p, end) | 0;
          if (p < 0) return -1;
        }
        if (p >= end) return fail(Fault.end, p);
        const c = view.getUint8(p);
        if (c === QUOTE) {
          p = skipString(bytes, view, p, end) | 0;
        } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
          if (depth + 2 >= MAX_DEPTH) return fail(Fault.depth, p);
          stack[depth] = inObject ? 1 : 0;
          depth = (depth + 1) | 0;
          inObject = c === OPEN_BRACE;
          continue entered;
        } else {
          p = skipScalar(bytes, view, p, end) | 0;
        }
        if (p < 0) return -1;
      }
      let c = p < end ? view.getUint8(p) : 0;
      if (c <= 0x20) {
        p = skipSpace(bytes, p, end) | 0;
        if (p >= end) return fail(Fault.end, p);
        c = view.getUint8(p);
      }
      closing = c === (inObject ? CLOSE_BRACE : CLOSE_BRACKET);
      if (!closing) {
        if (c !== 0x2c) return fail(Fault.byte, p);
        p = skipSpace(bytes, (p + 1) | 0, end) | 0;
      }
    }
  }
}

/** Whether nothing but white space follows. */
export function finish(bytes: Uint8Array, from: number, end: number): boolean {
  const p = skipSpace(bytes, from, end);
  if (p === end) return true;
  unexpected(p, end);
  return false;
}

let viewed: Uint8Array | undefined;
let lastView: DataView;
let viewedBefore: Uint8Array | undefined;
let viewBefore: DataView;

/** A view over the same bytes; the last two are kept, because helpers are called many times on one batch, and on what is made of it. */
export function viewOf(bytes: Uint8Array): DataView {
  if (viewed !== bytes) {
    const view = viewedBefore === bytes ? viewBefore : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    viewedBefore = viewed;
    viewBefore = lastView;
    viewed = bytes;
    lastView = view;
  }
  return lastView;
}
