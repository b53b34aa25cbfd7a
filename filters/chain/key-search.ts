const BACKSLASH = 0x5c;

/**
 * Says quickly that lines have no key that ends with a word: neither the word nor a backslash, with which it may be spelt otherwise, stands
 * in them. Logs without hashes pass a filter too. For the lines of one buffer in their order: each byte is looked at twice.
 */
export class KeySearch {
  readonly #buffer: Buffer;
  readonly #word: Buffer;
  #from = 0;
  #nextWord = -1;
  #nextBackslash = -1;

  constructor(buffer: Buffer, word: string) {
    this.#buffer = buffer;
    this.#word = Buffer.from(`${word}"`);
  }

  /** False only where the line from `start` to `end` has no such key. */
  mayHave(start: number, end: number): boolean {
    const buffer = this.#buffer;
    const back = start < this.#from;
    this.#from = start;
    if (back || this.#nextWord < start) this.#nextWord = orEnd(buffer, buffer.indexOf(this.#word, start));
    if (back || this.#nextBackslash < start) this.#nextBackslash = orEnd(buffer, buffer.indexOf(BACKSLASH, start));
    return this.#nextWord < end || this.#nextBackslash < end;
  }
}

function orEnd(buffer: Buffer, at: number): number {
  return at < 0 ? buffer.length : at;
}
