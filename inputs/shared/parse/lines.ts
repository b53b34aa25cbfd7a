import { RecordFlag } from "../../../agent/api/batch.ts";
import type { Framed, Framer } from "./framer.ts";
import { LongSpan } from "./long-span.ts";
import { isBlank, markLength, SpanList, trimLineEnd } from "./spans.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Expected bytes per line until lines were seen, and the fewest ever expected: it sizes the arrays. */
const FIRST_GUESS = 256;
const SHORTEST_GUESS = 32;

/** One record per line. The records point into the chunk; only a line that no chunk holds whole is copied. */
export class LineFramer implements Framer {
  readonly #max: number;
  readonly #plain: boolean;
  #next: number | undefined;
  #long: LongSpan | undefined;
  #average = FIRST_GUESS;

  constructor(maxLineBytes: number, plain = false) {
    this.#max = maxLineBytes;
    this.#plain = plain;
  }

  push(chunk: Buffer, at: number): Framed {
    if (this.#next !== undefined && this.#next !== at) {
      throw new Error(`The framer stands at offset ${this.#next} and was given offset ${at}.`);
    }
    const newline = chunk.indexOf(NEWLINE);
    if (newline < 0) return this.#wait(chunk, at);
    const long = this.#long;
    this.#long = undefined;
    if (!long) return this.#lines(chunk, at, newline);
    if (long.whole) {
      // Joined with the chunk, so that its other lines need not be read again.
      return this.#lines(long.join(chunk), long.offset, long.length + newline);
    }
    long.append(chunk, 0, newline);
    return this.#cut(long, at + newline + 1);
  }

  flush(): Framed {
    const next = this.#next ?? 0;
    const long = this.#long;
    this.#long = undefined;
    if (!long) return new SpanList(0).framed(Buffer.alloc(0), next, next);
    if (!long.whole) return this.#cut(long, next);
    const buffer = long.join(Buffer.alloc(0));
    const list = new SpanList(1);
    this.#line(list, buffer, 0, buffer.length, long.offset);
    return this.#answer(list, buffer, next, next);
  }

  /** No newline in sight: remembers the bytes. */
  #wait(chunk: Buffer, at: number): Framed {
    const next = at + chunk.length;
    if (chunk.length > 0) {
      this.#long ??= new LongSpan(at, this.#max);
      this.#long.append(chunk);
    }
    return this.#answer(new SpanList(0), chunk, next, this.#long?.offset ?? next);
  }

  /** The hot path. `newline` is the position of the first one. */
  #lines(chunk: Buffer, at: number, newline: number): Framed {
    const max = this.#max;
    const list = new SpanList(Math.ceil((chunk.length / this.#average) * 1.1) + 8);
    let start = 0;
    if (at === 0) {
      this.#line(list, chunk, 0, newline, 0);
      start = newline + 1;
      newline = chunk.indexOf(NEWLINE, start);
    }
    while (newline >= 0) {
      const end = newline > start && chunk[newline - 1] === RETURN ? newline - 1 : newline;
      if (end - start <= max && chunk[start]! > 0x20) list.add(start, end, at + start);
      else this.#line(list, chunk, start, newline, at + start);
      start = newline + 1;
      newline = chunk.indexOf(NEWLINE, start);
    }
    if (list.count > 0) this.#average = Math.max(SHORTEST_GUESS, start / list.count);
    return this.#answer(list, chunk, at + start, at + start);
  }

  /** Any line: the first of a file, blank, too long. */
  #line(list: SpanList, buffer: Buffer, start: number, end: number, offset: number): void {
    const mark = offset === 0 ? markLength(buffer, start) : 0;
    const trimmed = trimLineEnd(buffer, start + mark, end);
    if (isBlank(buffer, start + mark, trimmed)) return;
    list.addBounded(buffer, start + mark, trimmed, offset + mark, this.#max);
  }

  #cut(long: LongSpan, next: number): Framed {
    const found = long.cut();
    const list = new SpanList(1);
    if (found) list.addCut(0, found.bytes.length, found.offset, found.cut);
    return this.#answer(list, found?.bytes ?? Buffer.alloc(0), next, next);
  }

  #answer(list: SpanList, buffer: Buffer, next: number, resume: number): Framed {
    this.#next = next;
    if (this.#plain && list.count > 0) list.mark(RecordFlag.plain);
    return { ...list.framed(buffer, next, resume), lines: true };
  }
}
