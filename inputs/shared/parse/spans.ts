import { createHash } from "node:crypto";
import { type Cut, RecordFlag } from "../../../agent/api/batch.ts";
import type { Framed } from "./framer.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Length of the UTF-8 byte order mark at `start`, or 0. */
export function markLength(buffer: Buffer, start: number): number {
  return buffer[start] === 0xef && buffer[start + 1] === 0xbb && buffer[start + 2] === 0xbf ? 3 : 0;
}

/** `end` without one line end (`\n`, `\r\n` or a lone `\r`) before it. */
export function trimLineEnd(buffer: Buffer, start: number, end: number): number {
  if (end > start && buffer[end - 1] === NEWLINE) end--;
  return end > start && buffer[end - 1] === RETURN ? end - 1 : end;
}

/** Nothing but spaces, tabs and CRs (newlines too, which only multi-line spans can hold). */
export function isBlank(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x09 && byte !== RETURN && byte !== NEWLINE)) return false;
  }
  return true;
}

/** Where to cut so that at most `max` bytes stay and no UTF-8 character is split. What has no boundary there (no UTF-8) is cut at `max`. */
export function cutEnd(buffer: Buffer, start: number, max: number): number {
  const limit = start + max;
  for (let end = limit; end > start && end > limit - 4; end--) {
    if ((buffer[end]! & 0xc0) !== 0x80) return end;
  }
  return limit;
}

/** Grows with the records of one chunk. `estimate` is how many are expected. */
export class SpanList {
  starts: Uint32Array;
  ends: Uint32Array;
  offsets: Float64Array;
  flags: Uint8Array | undefined;
  cuts: Map<number, Cut> | undefined;
  count = 0;

  constructor(estimate: number) {
    this.starts = new Uint32Array(estimate);
    this.ends = new Uint32Array(estimate);
    this.offsets = new Float64Array(estimate);
  }

  add(start: number, end: number, offset: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.offsets[this.count] = offset;
    this.count++;
  }

  /** A record whose bytes are a cut of something longer. */
  addCut(start: number, end: number, offset: number, cut: Cut): void {
    this.add(start, end, offset);
    this.flags ??= new Uint8Array(this.starts.length);
    this.cuts ??= new Map();
    this.flags[this.count - 1] = RecordFlag.cut;
    this.cuts.set(this.count - 1, cut);
  }

  /** A record that may be too long; its bytes are all here. */
  addBounded(buffer: Buffer, start: number, end: number, offset: number, max: number): void {
    if (end - start <= max) {
      this.add(start, end, offset);
      return;
    }
    const sha256 = createHash("sha256").update(buffer.subarray(start, end)).digest("hex");
    this.addCut(start, cutEnd(buffer, start, max), offset, { length: end - start, sha256 });
  }

  /** Sets a flag on every record. */
  mark(flag: number): void {
    this.flags ??= new Uint8Array(this.starts.length);
    for (let i = 0; i < this.count; i++) this.flags[i]! |= flag;
  }

  framed(buffer: Buffer, next: number, resume: number): Framed {
    const { starts, ends, offsets, count, flags, cuts } = this;
    return { buffer, starts, ends, offsets, count, flags, cuts, next, resume };
  }

  #grow(): void {
    const length = Math.max(16, this.starts.length * 2);
    const starts = new Uint32Array(length);
    const ends = new Uint32Array(length);
    const offsets = new Float64Array(length);
    starts.set(this.starts);
    ends.set(this.ends);
    offsets.set(this.offsets);
    if (this.flags) {
      const flags = new Uint8Array(length);
      flags.set(this.flags);
      this.flags = flags;
    }
    this.starts = starts;
    this.ends = ends;
    this.offsets = offsets;
  }
}
