import type { Framed, Framer } from "./framer.ts";
import { LongSpan } from "./long-span.ts";
import { markLength, SpanList, trimLineEnd } from "./spans.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** 1 for bytes that mean nothing to braces and strings. */
const ORDINARY = new Uint8Array(256).fill(1);
for (const byte of [NEWLINE, QUOTE, BACKSLASH, OPEN, CLOSE]) ORDINARY[byte] = 0;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Finds where an object that may span chunks ends. Counts braces outside strings; whether it is JSON, the scanner says later. */
class ObjectEnd {
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #lineStart = false;

  /**
   * The end of the object in `bytes` from `at` on; -1 where it goes on behind them. A `{` in the first column of a line ends it too,
   * right before: pretty-printers indent all but the first brace, so the object before was never finished. And no JSON string holds a
   * raw newline: at one, an open string was never closed.
   */
  find(bytes: Buffer, from: number): number {
    let depth = this.#depth;
    let quoted = this.#quoted;
    let escaped = this.#escaped;
    let lineStart = this.#lineStart;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (ORDINARY[byte] === 1 || escaped) {
        lineStart = false;
        escaped = false;
        if (byte !== NEWLINE) continue;
      }
      if (byte === NEWLINE) {
        quoted = false;
        lineStart = true;
        continue;
      }
      if (byte === QUOTE) quoted = !quoted;
      else if (quoted) escaped = byte === BACKSLASH;
      else if (byte === OPEN) {
        if (lineStart) return at;
        depth++;
      } else if (byte === CLOSE && --depth === 0) return at + 1;
      lineStart = false;
    }
    this.#depth = depth;
    this.#quoted = quoted;
    this.#escaped = escaped;
    this.#lineStart = lineStart;
    return -1;
  }
}

/** Finds the end of a line that is no object. */
const lineEnd = { find: (bytes: Buffer, at: number) => bytes.indexOf(NEWLINE, at) };

/**
 * Whole JSON objects, however many lines they take: pretty-printed, one per line, several on a line. White space between them is
 * skipped; anything else between them is a record up to the end of its line. The records keep their newlines.
 */
export class ObjectFramer implements Framer {
  readonly #max: number;
  #next: number | undefined;
  #long: LongSpan | undefined;
  /** How the unfinished record goes on. */
  #end: { find(bytes: Buffer, at: number): number } = lineEnd;

  constructor(maxLineBytes: number) {
    this.#max = maxLineBytes;
  }

  push(chunk: Buffer, at: number): Framed {
    if (this.#next !== undefined && this.#next !== at) {
      throw new Error(`The framer stands at offset ${this.#next} and was given offset ${at}.`);
    }
    const long = this.#long;
    if (!long) return this.#objects(chunk, at);
    if (long.offset === 0 && long.length < MARK.length) {
      this.#long = undefined;
      return this.#objects(long.join(chunk), 0);
    }
    const end = this.#end.find(chunk, 0);
    if (end < 0) return this.#wait(long, chunk, 0, at);
    this.#long = undefined;
    if (long.whole) return this.#objects(long.join(chunk), long.offset);
    long.append(chunk, 0, end);
    return this.#cut(long, at + end);
  }

  flush(): Framed {
    const next = this.#next ?? 0;
    const long = this.#long;
    this.#long = undefined;
    if (!long) return this.#answer(new SpanList(0), Buffer.alloc(0), next, next);
    if (!long.whole) return this.#cut(long, next);
    const bytes = long.join(Buffer.alloc(0));
    const start = long.offset === 0 ? markLength(bytes, 0) : 0;
    const list = new SpanList(1);
    const end = trimLineEnd(bytes, start, bytes.length);
    if (end > start) list.addBounded(bytes, start, end, long.offset + start, this.#max);
    return this.#answer(list, bytes, next, next);
  }

  /** All records in `bytes`. An unfinished one is remembered where it is all there is, else asked for again. */
  #objects(bytes: Buffer, at: number): Framed {
    const list = new SpanList(64);
    let start = at === 0 ? markLength(bytes, 0) : 0;
    for (;;) {
      start = skipSpace(bytes, start);
      if (start === bytes.length) return this.#answer(list, bytes, at + start, at + start);
      this.#end = bytes[start] === OPEN ? new ObjectEnd() : lineEnd;
      const end = this.#end.find(bytes, start);
      if (end < 0) break;
      list.addBounded(bytes, start, trimLineEnd(bytes, start, end), at + start, this.#max);
      start = end;
    }
    if (list.count > 0) return this.#answer(list, bytes, at + start, at + start);
    return this.#wait(new LongSpan(at + start, this.#max), bytes, start, at);
  }

  #wait(long: LongSpan, bytes: Buffer, from: number, at: number): Framed {
    this.#long = long;
    long.append(bytes, from);
    return this.#answer(new SpanList(0), bytes, at + bytes.length, long.offset);
  }

  #cut(long: LongSpan, next: number): Framed {
    const found = long.cut();
    const list = new SpanList(1);
    if (found) list.addCut(0, found.bytes.length, found.offset, found.cut);
    return this.#answer(list, found?.bytes ?? Buffer.alloc(0), next, next);
  }

  #answer(list: SpanList, buffer: Buffer, next: number, resume: number): Framed {
    this.#next = next;
    return list.framed(buffer, next, resume);
  }
}

function skipSpace(bytes: Buffer, at: number): number {
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== NEWLINE && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}
