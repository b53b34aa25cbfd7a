/** What the judge asks of the entries around the one in question. Every answer costs reading, and there is a bound on all of it together. */
import type { Surroundings } from "../judge.ts";
import { ChainReader, Entry } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { type Bounded, linesAfter, linesBefore } from "./near.ts";
import { Seen } from "./seen.ts";

/** Hashes that `before` may give away in all, and the bytes that are hashed with them; afterwards only the nearest. */
const HASHES = 2_000_000;
const HASHED_BYTES = 16 * 1024 ** 3;
/** A long entry is tried with fewer: each costs as many bytes as it has. */
const HASHED_PER_ENTRY = 256 * 1024 ** 2;
const NEAREST = 64;

export class Around implements Surroundings {
  firstOfChain = true;
  firstOfFile = true;
  readonly #files: readonly (() => Bounded | undefined)[];
  readonly #scheme: Scheme;
  readonly #reader: ChainReader;
  readonly #startHash: string | undefined;
  readonly #seen: Seen;
  #file = 0;
  #offset = 0;
  #end = 0;
  #hashes = HASHES;
  #hashedBytes = HASHED_BYTES;
  /** Stored hashes by position in the file `#cached`; "" where a line has none. */
  readonly #cache = new Map<number, string>();
  #cached = -1;

  /** `files` in order; one that is not at hand is undefined. */
  constructor(scheme: Scheme, files: readonly (() => Bounded | undefined)[], size: number, startHash?: string) {
    this.#scheme = scheme;
    this.#files = files;
    this.#reader = new ChainReader(scheme);
    this.#seen = new Seen(scheme, files, size);
    this.#startHash = startHash;
  }

  /** Speaks of the line from `offset` to `end` from now on. */
  moveTo(file: number, offset: number, end: number): void {
    this.#file = file;
    this.#offset = offset;
    this.#end = end;
  }

  before(count: number): readonly string[] {
    const length = this.#end - this.#offset + 1;
    const many = this.#hashes > 0 && this.#hashedBytes > 0 ? HASHED_PER_ENTRY / length : 0;
    const wanted = Math.min(count, Math.max(NEAREST, Math.floor(many)));
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
    this.#hashedBytes -= found.length * length;
    return found;
  }

  after(count: number): readonly string[] {
    const found: string[] = [];
    for (let i = this.#file; i < this.#files.length && found.length < count; i++) {
      const file = this.#files[i]!();
      if (file === undefined) break;
      const lines = linesAfter(file, i === this.#file ? this.#end : file.start, count, this.#scheme.lines);
      for (const { offset, bytes } of lines) {
        const stored = i === this.#file ? this.#storedAt(i, offset, bytes) : this.#stored(bytes);
        if (stored !== "") found.push(stored);
        if (found.length === count) break;
      }
    }
    return found;
  }

  seen(hash: string): boolean {
    if (hash === "") return false;
    return hash === this.#startHash || this.#seen.before(hash, this.#file, this.#offset);
  }

  /** The lines around are asked for again and again where breaks stand close. */
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
