/**
 * JSON as Python's `json.dumps(json.loads(entry), separators=(",", ":"))` prints it, made from the entry's own bytes: no space between
 * tokens, everything but printable ASCII escaped, of a key that stands twice the first place and the last value. Only number tokens
 * stay as they were written. https://docs.python.org/3/library/json.html
 */
import { hitsOf, skipString, viewOf } from "../../agent/json/lexer.ts";
import type { ByteWriter } from "../shared/writer.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];
const SHORT: Readonly<Record<number, string>> = {
  8: "\\b",
  9: "\\t",
  10: "\\n",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** Objects with more members are looked at for keys that stand twice in any case. */
const MANY = 64;

/** Takes the space between the tokens of the valid JSON value `buffer[start..end)` out of it. Answers its new end. */
export function compactJson(buffer: Buffer, start: number, end: number): number {
  const view = viewOf(buffer);
  let p = start | 0;
  // Up to the first space nothing moves.
  for (;;) {
    while (p < end && view.getUint8(p) > 0x20 && view.getUint8(p) !== QUOTE) p = (p + 1) | 0;
    if (p >= end) return end;
    if (view.getUint8(p) !== QUOTE) break;
    p = skipString(buffer, view, p, end) | 0;
  }
  let to = p;
  while (p < end) {
    const byte = view.getUint8(p);
    p = (p + 1) | 0;
    if (byte <= 0x20) continue;
    view.setUint8(to, byte);
    to = (to + 1) | 0;
    if (byte === QUOTE) {
      to = moveString(view, p, to, end);
      p = moved;
    }
  }
  return to;
}

/** Where the string that `moveString` moved ended before. */
let moved = 0;

/** Moves what follows an opening quote at `p`, with its closing quote, to `to`, which lies before. Answers where it ends there. */
function moveString(view: DataView, from: number, start: number, end: number): number {
  const last = (end - 4) | 0;
  let p = from | 0;
  let to = start | 0;
  for (;;) {
    // Four bytes at once, as `skipPlain` looks at them: what is written ends before what is still to be read.
    while (p <= last) {
      const word = view.getInt32(p, true);
      if (hitsOf(word) !== 0) break;
      view.setInt32(to, word, true);
      p = (p + 4) | 0;
      to = (to + 4) | 0;
    }
    let byte = view.getUint8(p);
    p = (p + 1) | 0;
    while (byte !== QUOTE && byte !== BACKSLASH) {
      view.setUint8(to, byte);
      to = (to + 1) | 0;
      byte = view.getUint8(p);
      p = (p + 1) | 0;
    }
    view.setUint8(to, byte);
    to = (to + 1) | 0;
    if (byte === QUOTE) {
      moved = p;
      return to;
    }
    view.setUint8(to, view.getUint8(p));
    p = (p + 1) | 0;
    to = (to + 1) | 0;
  }
}

/** Writes the valid JSON value `buffer[start..end)`. */
export function writePythonJson(buffer: Buffer, start: number, end: number, writer: ByteWriter): void {
  const from = writer.length;
  const view = viewOf(buffer);
  /** Hashes of the keys of all open objects, and where each one's begin; of an open array, -1. */
  const hashes: number[] = [];
  const open: number[] = [];
  let twice = false;
  let key = false;
  for (let p = start; p < end; ) {
    const byte = buffer[p]!;
    if (byte === QUOTE) {
      const close = skipString(buffer, view, p, end);
      const at = writer.length;
      writeString(buffer, p, close, writer);
      if (key) {
        const hash = hashOf(writer.buffer, at, writer.length);
        const first = open.at(-1)!;
        twice ||= hashes.length - first > MANY || hashes.indexOf(hash, first) >= 0;
        hashes.push(hash);
        key = false;
      }
      p = close;
      continue;
    }
    if (byte > 0x20) {
      writer.byte(byte);
      if (byte === OPEN_BRACE) open.push(hashes.length);
      else if (byte === OPEN_BRACKET) open.push(-1);
      else if (byte === CLOSE_BRACE) hashes.length = open.pop()!;
      else if (byte === CLOSE_BRACKET) open.pop();
      key = byte === OPEN_BRACE || (byte === COMMA && open.at(-1)! >= 0);
    }
    p++;
  }
  // Where two keys only share a hash, the same comes out again.
  if (twice) lastOfEach(writer, from);
}

function hashOf(buffer: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i]!, 0x5bd1e995) ^ (hash >>> 15);
  return hash;
}

function writeString(buffer: Buffer, start: number, end: number, writer: ByteWriter): void {
  if (isPlain(buffer, start, end)) {
    writer.bytes(buffer, start, end);
    return;
  }
  const text = JSON.parse(buffer.toString("utf8", start, end)) as string;
  let escaped = '"';
  // By UTF-16 unit: a character beyond the first plane is a pair of escapes, as Python writes it.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const short = SHORT[unit];
    if (short !== undefined) escaped += short;
    else if (unit >= 0x20 && unit < 0x7f) escaped += text[i];
    else escaped += `\\u${unit.toString(16).padStart(4, "0")}`;
  }
  writer.ascii(`${escaped}"`);
}

function isPlain(buffer: Buffer, start: number, end: number): boolean {
  let p = start;
  while (p < end && buffer[p]! >= 0x20 && buffer[p]! < 0x7f && buffer[p] !== BACKSLASH) p++;
  return p === end;
}

/** A span of bytes with what is inside: of an object the members by their keys (a Map keeps the first place, as a dict does). */
interface Container {
  readonly members: Map<string, Value> | undefined;
  readonly items: Value[];
  key: string;
}
type Value = string | Container;

/** Prints `writer`'s value from `from` on again, with each key once. It is ASCII without spaces. */
function lastOfEach(writer: ByteWriter, from: number): void {
  const root = parsed(writer.view().subarray(from));
  writer.length = from;
  // What is still to be written, the next one last: nothing recurses, whatever the depth.
  const left: Value[] = [root];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value === "string") {
      writer.ascii(value);
      continue;
    }
    const { members, items } = value;
    const parts: Value[] = [members ? "{" : "["];
    if (members) for (const [key, member] of members) parts.push(parts.length > 1 ? "," : "", `${key}:`, member);
    else for (const item of items) parts.push(parts.length > 1 ? "," : "", item);
    parts.push(members ? "}" : "]");
    for (let i = parts.length - 1; i >= 0; i--) left.push(parts[i]!);
  }
}

function parsed(bytes: Buffer): Value {
  const view = viewOf(bytes);
  const root: Container = { members: undefined, items: [], key: "" };
  const open = [root];
  const put = (value: Value) => {
    const { members, items, key } = open.at(-1)!;
    if (members) members.set(key, value);
    else items.push(value);
  };
  for (let p = 0; p < bytes.length; ) {
    const byte = bytes[p]!;
    const start = p++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      const inside: Container = { members: byte === OPEN_BRACE ? new Map() : undefined, items: [], key: "" };
      put(inside);
      open.push(inside);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) open.pop();
    else if (byte !== COMMA) {
      if (byte === QUOTE) p = skipString(bytes, view, start, bytes.length);
      else while (p < bytes.length && !isEnd(bytes[p]!)) p++;
      const token = bytes.toString("latin1", start, p);
      if (bytes[p] === COLON) {
        open.at(-1)!.key = token;
        p++;
      } else put(token);
    }
  }
  return root.items[0]!;
}

function isEnd(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
}
