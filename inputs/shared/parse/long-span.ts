import { createHash, type Hash } from "node:crypto";
import type { Cut } from "../../../agent/api/batch.ts";
import { cutEnd, isBlank, markLength, trimLineEnd } from "./spans.ts";

/** What trimming may still take off a span: a byte order mark in front, a line end behind. */
const SLACK = 3 + 2;

/**
 * A line or object that began in an earlier chunk. Keeps its first `maxBytes` bytes (and SLACK); of anything longer only the running
 * hash, so that a line of any length costs bounded memory.
 */
export class LongSpan {
  /** Where it began in its source. */
  readonly offset: number;
  /** Bytes so far. */
  length = 0;
  readonly #maxBytes: number;
  readonly #marked: boolean;
  #head: Buffer = Buffer.alloc(0);
  #hash: Hash | undefined;
  /** Nothing but white space beyond the head. */
  #restBlank = true;
  /** The last two bytes, not yet hashed: they may turn out to be the line end. */
  #held: Buffer = Buffer.alloc(0);

  /** `marked`: at offset 0 a byte order mark may stand in front, which is no part of it. */
  constructor(offset: number, maxBytes: number, marked = true) {
    this.offset = offset;
    this.#maxBytes = maxBytes;
    this.#marked = marked;
  }

  /** All of its bytes are kept. */
  get whole(): boolean {
    return this.length <= this.#maxBytes + SLACK;
  }

  append(chunk: Buffer, from = 0, to = chunk.length): void {
    const kept = this.#keep(chunk, from, to);
    this.length += to - from;
    if (this.whole) return;
    this.#restBlank &&= isBlank(chunk, from + kept, to);
    if (!this.#hash) {
      this.#hash = createHash("sha256");
      this.#feed(this.#head, this.#mark(), this.#maxBytes + SLACK);
    }
    this.#feed(chunk, from + kept, to);
  }

  /** Its bytes followed by `chunk`; only while `whole`. */
  join(chunk: Buffer): Buffer {
    return Buffer.concat([this.#head.subarray(0, this.length), chunk]);
  }

  /** What travels of a span that is no longer whole, without its line end; undefined where all of it is white space. */
  cut(): { bytes: Buffer; offset: number; cut: Cut } | undefined {
    const mark = this.#mark();
    if (this.#restBlank && isBlank(this.#head, mark, this.#head.length)) return undefined;
    const end = trimLineEnd(this.#held, 0, this.#held.length);
    const length = this.length - mark - (this.#held.length - end);
    const sha256 = this.#hash!.update(this.#held.subarray(0, end)).digest("hex");
    const bytes = this.#head.subarray(mark, cutEnd(this.#head, mark, this.#maxBytes));
    return { bytes, offset: this.offset + mark, cut: { length, sha256 } };
  }

  #mark(): number {
    return this.#marked && this.offset === 0 ? markLength(this.#head, 0) : 0;
  }

  /** Copies into the head what fits and answers how much did. Copies: a small chunk may pin a big buffer. */
  #keep(chunk: Buffer, from: number, to: number): number {
    const room = Math.max(0, this.#maxBytes + SLACK - this.length);
    const kept = Math.min(room, to - from);
    if (kept === 0) return 0;
    if (this.length + kept > this.#head.length) {
      const size = Math.min(Math.max(this.#head.length * 2, this.length + kept, 1024), this.#maxBytes + SLACK);
      const grown = Buffer.allocUnsafeSlow(size);
      this.#head.copy(grown, 0, 0, this.length);
      this.#head = grown;
    }
    chunk.copy(this.#head, this.length, from, from + kept);
    return kept;
  }

  #feed(bytes: Buffer, from: number, to: number): void {
    if (to - from < 2) {
      if (to === from) return;
      const joined = Buffer.concat([this.#held, bytes.subarray(from, to)]);
      const split = Math.max(0, joined.length - 2);
      this.#hash!.update(joined.subarray(0, split));
      this.#held = joined.subarray(split);
      return;
    }
    this.#hash!.update(this.#held);
    this.#hash!.update(bytes.subarray(from, to - 2));
    this.#held = Buffer.from(bytes.subarray(to - 2, to));
  }
}
