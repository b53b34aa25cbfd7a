import type { Cut } from "../../../agent/api/batch.ts";
import { LongSpan } from "./long-span.ts";
import type { RecordOutput } from "./output.ts";

interface Held {
  readonly offset: number;
  readonly write: (out: RecordOutput) => void;
}

/** Records held back at most, beside `maxLineBytes` bytes of them. */
const MAX_HELD = 10_000;

/**
 * Joins the parts of records that container runtimes split, per stream. While a record waits for its last part, finished records that
 * began after it are held back too: so records come in the order in which they began, and there is a point in the file before which
 * nothing is pending, where a new framer may start. If more than `maxLineBytes` bytes (or MAX_HELD records) are held back, the
 * waiting parts are taken for whole. All this depends on nothing but the lines since the last such point, so that a restart repeats it.
 */
export class Joiner {
  readonly #max: number;
  readonly #open = new Map<string, LongSpan>();
  #held: Held[] = [];
  #heldBytes = 0;
  #pending: number | undefined;

  constructor(maxLineBytes: number) {
    this.#max = maxLineBytes;
  }

  get pending(): number | undefined {
    return this.#pending;
  }

  /** One part of a record of `stream`, with its line's offset. */
  part(
    stream: string,
    bytes: Buffer,
    start: number,
    end: number,
    offset: number,
    last: boolean,
    out: RecordOutput,
  ): void {
    let open = this.#open.get(stream);
    if (!open) {
      if (last) {
        this.whole(bytes, start, end, offset, out);
        return;
      }
      open = new LongSpan(offset, this.#max, false);
      this.#open.set(stream, open);
      this.#pending ??= offset;
    }
    open.append(bytes, start, end);
    if (last) this.#finish(stream, open);
    this.#settle(out);
  }

  /** A record of one line. */
  whole(bytes: Buffer, start: number, end: number, offset: number, out: RecordOutput): void {
    if (this.#pending === undefined) {
      out.add(bytes, start, end, offset, this.#max);
      return;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    this.#hold(copy.length, offset, (to) => to.add(copy, 0, copy.length, offset, this.#max));
    this.#settle(out);
  }

  /** A line too long to be parsed. */
  cut(bytes: Buffer, offset: number, cut: Cut, out: RecordOutput): void {
    if (this.#pending === undefined) {
      out.addCut(bytes, 0, bytes.length, offset, cut);
      return;
    }
    const copy = Buffer.from(bytes);
    this.#hold(copy.length, offset, (to) => to.addCut(copy, 0, copy.length, offset, cut));
    this.#settle(out);
  }

  flush(out: RecordOutput): void {
    for (const [stream, open] of this.#open) this.#finish(stream, open);
    this.#settle(out);
  }

  #finish(stream: string, open: LongSpan): void {
    this.#open.delete(stream);
    const { offset } = open;
    if (open.whole) {
      const bytes = open.join(Buffer.alloc(0));
      this.#hold(bytes.length, offset, (out) => out.add(bytes, 0, bytes.length, offset, this.#max));
      return;
    }
    const found = open.cut();
    if (found)
      this.#hold(found.bytes.length, offset, (out) =>
        out.addCut(found.bytes, 0, found.bytes.length, offset, found.cut),
      );
  }

  #hold(bytes: number, offset: number, write: Held["write"]): void {
    this.#held.push({ offset, write });
    this.#heldBytes += bytes;
  }

  #settle(out: RecordOutput): void {
    if (this.#pending === undefined) return;
    if (this.#open.size > 0) {
      if (this.#heldBytes <= this.#max && this.#held.length <= MAX_HELD) return;
      for (const [stream, open] of this.#open) this.#finish(stream, open);
    }
    this.#held.sort((a, b) => a.offset - b.offset);
    for (const held of this.#held) held.write(out);
    this.#held = [];
    this.#heldBytes = 0;
    this.#pending = undefined;
  }
}
