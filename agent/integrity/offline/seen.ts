/** Whether an entry before a place has a given hash, however far before. */
import { randomBytes } from "node:crypto";
import { ChainReader, Entry } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { behind, LineEnds } from "./lines.ts";
import { type Bounded, lineAt } from "./near.ts";

/** So many questions are answered by searching the text; for more an index is made of it. */
const SEARCHES = 16;
/** Bytes that are searched beyond the size of everything. */
const SEARCHED = 4 * 1024 ** 3;
const CHUNK = 1024 * 1024;
/** What it costs to look at a line because its text has the hash, in bytes searched. */
const PER_HIT = 16 * 1024;
/** And where the line turns out to be too long to be looked at. */
const PER_LONG_HIT = 32 * 1024 * 1024;
/** Entries in the index: 64 MiB. */
const INDEXED = 2 * 1024 * 1024;
const SLOTS = 2 * INDEXED;

export class Seen {
  readonly #files: readonly (() => Bounded | undefined)[];
  readonly #scheme: Scheme;
  readonly #reader: ChainReader;
  #asked = 0;
  #budget: number;
  #index: HashIndex | undefined;
  /** How far the index goes. */
  #file = 0;
  #offset = -1;

  constructor(scheme: Scheme, files: readonly (() => Bounded | undefined)[], size: number) {
    this.#scheme = scheme;
    this.#files = files;
    this.#reader = new ChainReader(scheme);
    this.#budget = SEARCHED + 2 * size;
  }

  /** Places come in rising order. */
  before(hash: string, file: number, offset: number): boolean {
    if (this.#asked++ >= SEARCHES) {
      this.#index ??= new HashIndex();
      this.#extend(this.#index, file, offset);
      const place = this.#index.get(hash);
      if (place === undefined && !this.#index.full) return false;
      if (place !== undefined && this.#isAt(place, hash)) return true;
    }
    const needle = Buffer.from(hash);
    for (let i = 0; i <= file; i++) {
      const at = this.#files[i]!();
      if (at !== undefined && this.#search(at, i === file ? offset : at.end, needle, hash)) return true;
    }
    return false;
  }

  #search(file: Bounded, to: number, needle: Buffer, hash: string): boolean {
    let from = Math.max(file.start, file.text.lowest);
    while (from < to && this.#budget > 0) {
      const bytes = file.text.read(from, Math.min(to, from + CHUNK + needle.length - 1));
      this.#budget -= bytes.length;
      const at = bytes.indexOf(needle);
      if (at < 0) {
        if (from + bytes.length >= to) return false;
        from += bytes.length - needle.length + 1;
        continue;
      }
      // It may stand there as what another entry follows, or in a text.
      const line = lineAt(file, from + at, this.#scheme.lines);
      this.#budget -= line === undefined ? PER_LONG_HIT : PER_HIT;
      if (line !== undefined && this.#stored(line.bytes) === hash) return true;
      from = line === undefined ? from + at + needle.length : line.offset + line.bytes.length + 1;
    }
    return false;
  }

  /** Of a line that is longer than a chunk the index knows nothing. */
  #extend(index: HashIndex, file: number, offset: number): void {
    for (; this.#file <= file; this.#file++, this.#offset = -1) {
      const at = this.#files[this.#file]!();
      const to = this.#file === file ? offset : (at?.end ?? 0);
      let from = Math.max(this.#offset, at?.start ?? 0, at?.text.lowest ?? 0);
      while (at !== undefined && from < to && !index.full) {
        const bytes = at.text.read(from, Math.min(to, from + CHUNK));
        const ends = new LineEnds(bytes, this.#scheme.lines, 0);
        let p = 0;
        for (let end = ends.after(0); end >= 0 && p < bytes.length; end = ends.after(p)) {
          if (end > p) index.add(this.#stored(bytes.subarray(p, end)), { file: this.#file, offset: from + p });
          p = behind(bytes, end);
        }
        from += p === 0 ? bytes.length : Math.min(p, bytes.length);
      }
      this.#offset = from;
      if (this.#file === file) return;
    }
  }

  #isAt({ file, offset }: IndexedPlace, hash: string): boolean {
    const at = this.#files[file]!();
    const line = at && lineAt(at, offset, this.#scheme.lines);
    return line !== undefined && this.#stored(line.bytes) === hash;
  }

  #stored(bytes: Buffer): string {
    return this.#reader.read(bytes, 0, bytes.length) === Entry.chained ? this.#reader.stored : "";
  }
}

interface IndexedPlace {
  readonly file: number;
  readonly offset: number;
}

/** Where a hash stands first. Told apart by their first 52 bits, so that what is found has to be looked at. */
class HashIndex {
  readonly #keys = new Float64Array(SLOTS);
  readonly #offsets = new Float64Array(SLOTS);
  readonly #files = new Uint32Array(SLOTS);
  readonly #secret = new Int32Array(new Uint8Array(randomBytes(12)).buffer);
  #size = 0;

  get full(): boolean {
    return this.#size >= INDEXED;
  }

  add(hash: string, { file, offset }: IndexedPlace): void {
    if (hash === "" || this.full) return;
    const key = keyOf(hash);
    const slot = this.#slot(key);
    if (this.#keys[slot] === key) return;
    this.#keys[slot] = key;
    this.#files[slot] = file;
    this.#offsets[slot] = offset;
    this.#size++;
  }

  get(hash: string): IndexedPlace | undefined {
    const key = keyOf(hash);
    const slot = this.#slot(key);
    return this.#keys[slot] === key ? { file: this.#files[slot]!, offset: this.#offsets[slot]! } : undefined;
  }

  /** Of the key, or free for it. Whoever writes hashes must not be able to choose keys that all want the same slot. */
  #slot(key: number): number {
    let slot = Math.imul((key % 2 ** 32) ^ this.#secret[0]!, this.#secret[1]! | 1);
    slot = Math.imul(slot ^ (slot >>> 15) ^ Math.floor(key / 2 ** 32), this.#secret[2]! | 1);
    slot = (slot ^ (slot >>> 13)) & (SLOTS - 1);
    while (this.#keys[slot] !== 0 && this.#keys[slot] !== key) slot = (slot + 1) & (SLOTS - 1);
    return slot;
  }
}

/** From 1 to 2^52; what is no hash falls on few. */
function keyOf(hash: string): number {
  const key = Number.parseInt(hash.slice(0, 13), 16);
  return Number.isNaN(key) ? hash.length + 1 : key + 1;
}
