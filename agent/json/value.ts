/** Values inside valid JSON, by their byte spans. All of it is linear in the span, and nothing recurses. */
import { Fault, fail, lexed, skipKey, skipSpace, skipString, skipValue, viewOf } from "./lexer.ts";

/** A value's place in its buffer; `end` is exclusive, a string's span has its quotes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Text of a string's span (with its quotes). Lone surrogates stay what they are; invalid UTF-8 becomes U+FFFD. */
export function decodeString(buffer: Buffer, start: number, end: number): string {
  return hasByte(buffer, BACKSLASH, start, end)
    ? (JSON.parse(buffer.toString("utf8", start, end)) as string)
    : buffer.toString("utf8", start + 1, end - 1);
}

/** The text of a scalar: a string's characters, else the token as written; undefined for null, objects and arrays. */
export function decodeScalar(buffer: Buffer, start: number, end: number): string | undefined {
  const first = buffer[start];
  if (first === QUOTE) return decodeString(buffer, start, end);
  if (first === 0x7b || first === 0x5b || first === 0x6e) return undefined;
  return buffer.toString("latin1", start, end);
}

function hasByte(buffer: Buffer, byte: number, start: number, end: number): boolean {
  // Short spans: a loop beats the call into native code.
  if (end - start > 64) {
    const at = buffer.subarray(start, end).indexOf(byte);
    return at >= 0;
  }
  for (let p = start; p < end; p++) if (buffer[p] === byte) return true;
  return false;
}

/** Visits an object's members in order; key spans have their quotes. Stops where `visit` answers false. False where the span is no object. */
export function eachMember(
  buffer: Buffer,
  start: number,
  end: number,
  visit: (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => boolean | undefined,
): boolean {
  const view = viewOf(buffer);
  if (start >= end || buffer[start] !== 0x7b) return false;
  let p = skipSpace(buffer, start + 1, end);
  if (p < end && buffer[p] === 0x7d) return true;
  for (;;) {
    const keyStart = p;
    const value = skipKey(buffer, view, keyStart, end);
    if (value < 0) return false;
    const keyEnd = lexed.keyEnd;
    const after = skipValue(buffer, view, value, end);
    if (after < 0) return false;
    if (visit(keyStart, keyEnd, value, after) === false) return true;
    p = skipSpace(buffer, after, end);
    if (p < end && buffer[p] === 0x7d) return true;
    if (p >= end || buffer[p] !== 0x2c) return fail(Fault.byte, p) >= 0;
    p = skipSpace(buffer, p + 1, end);
  }
}

/** The value of a key of an object, keys compared after unescaping; of duplicates the last. Undefined where there is none, or no object. */
export function findMember(buffer: Buffer, start: number, end: number, key: string): Span | undefined {
  const wanted = Buffer.from(key);
  let foundStart = 0;
  let foundEnd = 0;
  eachMember(buffer, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (sameKey(buffer, keyStart, keyEnd, key, wanted)) {
      foundStart = valueStart;
      foundEnd = valueEnd;
    }
  });
  return foundEnd === 0 ? undefined : { start: foundStart, end: foundEnd };
}

/** Whether a key's span (with quotes) says `key`; `wanted` is `key` in UTF-8. */
function sameKey(buffer: Buffer, start: number, end: number, key: string, wanted: Buffer): boolean {
  const length = end - start - 2;
  if (length < wanted.length) return false;
  if (length === wanted.length) {
    let i = 0;
    while (i < length && buffer[start + 1 + i] === wanted[i]) i++;
    if (i === length) return true;
  }
  return hasByte(buffer, BACKSLASH, start, end) && decodeString(buffer, start, end) === key;
}

/** The bytes with every NaN, Infinity and -Infinity outside of strings replaced by null. Only for valid JSON. */
export function replaceNonFinite(buffer: Buffer, start: number, end: number): Buffer {
  const view = viewOf(buffer);
  const parts: Buffer[] = [];
  let copied = start;
  let p = start;
  while (p < end) {
    const c = buffer[p]!;
    if (c === QUOTE) {
      p = skipString(buffer, view, p, end);
      if (p < 0) break;
      continue;
    }
    // Outside of strings an N or I begins nothing else.
    if (c === 0x4e || c === 0x49) {
      const from = c === 0x49 && p > start && buffer[p - 1] === 0x2d ? p - 1 : p;
      parts.push(buffer.subarray(copied, from), NULL);
      p += c === 0x4e ? 3 : 8;
      copied = p;
    } else {
      p++;
    }
  }
  parts.push(buffer.subarray(copied, end));
  return Buffer.concat(parts);
}

const NULL = Buffer.from("null");
