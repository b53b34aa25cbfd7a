/** What the judge asks of the entries around the one in question. Every answer costs reading, and there is a bound on all of it together. */
import type { Surroundings } from "../judge.ts";
import { ChainReader, Entry } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { type Bounded, lineAt, linesAfter, linesBefore } from "./near.ts";

/** Hashes that `before` may give away in all; afterwards only the nearest. */
const HASHES = 2_000_000;
const NEAREST = 64;
/** Bytes that `seen` may look through beyond the size of everything. */
const SEARCH = 4 * 1024 ** 3;
const CHUNK = 1024 * 1024;
/** What it costs to look at a line because its text has the hash, in bytes looked through. */
const PER_HIT = 16 * 1024;

export class Around implements Surroundings {
  firstOfChain = true;
  firstOfFile = true;
  readonly #files: readonly (() => Bounded | undefined)[];
  readonly #scheme: Scheme;
  readonly #reader: ChainReader;
  readonly #startHash: string | undefined;
  #file = 0;
  #offset = 0;
  #end = 0;
  #hashes = HASHES;
  #search: number;
  /** Stored hashes by position in the file `#cached`; "" where a line has none. */
  readonly #cache = new Map<number, string>();
  #cached = -1;

  /** `files` in order; one that is not at hand is undefined. */
  constructor(scheme: Scheme, files: readonly (() => Bounded | undefined)[], size: number, startHash?: string) {
    this.#scheme = scheme;
    this.#files = files;
    this.#reader = new ChainReader(scheme);
    this.#search = SEARCH + 2 * size;
    this.#startHash = startHash;
  }

  /** Speaks of the line from `offset` to `end` from now on. */
  moveTo(file: number, offset: number, end: number): void {
    this.#file = file;
    this.#offset = offset;
    this.#end = end;
  }

  before(count: number): readonly string[] {
    const wanted = this.#hashes > 0 ? count : Math.min(count, NEAREST);
    const found: string[] = [];
    for (let i = this.#file; i >= 0 && found.length < wanted; i--) {
      const file = this.#files[i]!();
      if (file === undefined) break;
      const lines = linesBefore(file, i === this.#file ? this.#offset : file.end, wanted, this.#scheme.lines);
      for (const { offset, bytes } of lines) {
        const stored = this.#storedAt(i, offset, bytes);
        if (stored !== "") found.push(stored);
        if (found.length === wanted) break;
      }
    }
    if (found.length < wanted && this.#startHash !== undefined) found.push(this.#startHash);
    this.#hashes -= found.length;
    return found;
  }

  after(count: number): readonly string[] {
    const found: string[] = [];
    for (let i = this.#file; i < this.#files.length && found.length < count; i++) {
      const file = this.#files[i]!();
      if (file === undefined) break;
      const lines = linesAfter(file, i === this.#file ? this.#end : file.start, count, this.#scheme.lines);
      for (const { bytes } of lines) {
        const stored = this.#stored(bytes);
        if (stored !== "") found.push(stored);
        if (found.length === count) break;
      }
    }
    return found;
  }

  seen(hash: string): boolean {
    if (hash === "") return false;
    if (hash === this.#startHash) return true;
    const needle = Buffer.from(hash);
    for (let i = 0; i <= this.#file; i++) {
      const file = this.#files[i]!();
      if (file === undefined) continue;
      if (this.#seenIn(file, i === this.#file ? this.#offset : file.end, needle, hash)) return true;
    }
    return false;
  }

  #seenIn(file: Bounded, to: number, needle: Buffer, hash: string): boolean {
    let from = Math.max(file.start, file.text.lowest);
    while (from < to && this.#search > 0) {
      const bytes = file.text.read(from, Math.min(to, from + CHUNK + needle.length - 1));
      this.#search -= bytes.length;
      const at = bytes.indexOf(needle);
      if (at < 0) {
        if (from + bytes.length >= to) break;
        from += bytes.length - needle.length + 1;
        continue;
      }
      // It may stand there as what another entry follows, or in a text.
      this.#search -= PER_HIT;
      const line = lineAt(file, from + at, this.#scheme.lines);
      if (line !== undefined && this.#stored(line.bytes) === hash) return true;
      from = line === undefined ? from + at + needle.length : line.offset + line.bytes.length + 1;
    }
    return false;
  }

  /** The lines before are asked for again and again where breaks stand close. */
  #storedAt(file: number, offset: number, bytes: Buffer): string {
    if (this.#cached !== file || this.#cache.size > 100_000) {
      this.#cache.clear();
      this.#cached = file;
    }
    let stored = this.#cache.get(offset);
    if (stored === undefined) {
      stored = this.#stored(bytes);
      this.#cache.set(offset, stored);
    }
    return stored;
  }

  #stored(bytes: Buffer): string {
    return this.#reader.read(bytes, 0, bytes.length) === Entry.chained ? this.#reader.stored : "";
  }
}
