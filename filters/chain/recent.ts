/** So many are kept with the state. */
export const SAVED = 64;
const HASH = /^[0-9a-f]{64}$/;

/** The stored hashes of the latest entries of a chain, by which copies and forks are told. */
export class Recent {
  readonly #hashes: string[] = [];
  readonly #capacity: number;
  #next = 0;

  /** `capacity`: how many are kept in memory, at least those that are saved. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(hash: string): void {
    this.#hashes[this.#next] = hash;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  has(hash: string): boolean {
    return this.#hashes.includes(hash);
  }

  /** The nearest first. */
  latest(count: number): string[] {
    const known = this.#hashes.length;
    const found: string[] = [];
    for (let back = 1; back <= Math.min(count, known); back++) {
      found.push(this.#hashes[(this.#next - back + this.#capacity) % this.#capacity]!);
    }
    return found;
  }

  /** The latest as raw bytes, 32 each, the oldest first. What is no hash is left out: nothing can follow it. */
  save(): Buffer {
    const hashes = this.latest(SAVED).reverse();
    const bytes = Buffer.from(hashes.join(""), "hex");
    if (bytes.length === 32 * hashes.length) return bytes;
    return Buffer.from(hashes.filter((hash) => HASH.test(hash)).join(""), "hex");
  }

  static restore(bytes: Buffer, capacity: number): Recent {
    const recent = new Recent(capacity);
    for (let at = 0; at + 32 <= bytes.length; at += 32) recent.add(bytes.toString("hex", at, at + 32));
    return recent;
  }
}
