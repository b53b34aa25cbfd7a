const EMPTY = Buffer.alloc(0);
/** A call into native code costs as much as writing some thirty bytes by hand. */
const BY_HAND = 32;

/**
 * A buffer that grows: where request bodies and file appends are put together. `buffer` and `length` are open to the hot paths, which
 * call `ensure` once and then write for themselves.
 */
export class ByteWriter {
  buffer: Buffer;
  length: number;
  #hint: number;

  constructor(hint = 64 * 1024) {
    this.buffer = EMPTY;
    this.length = 0;
    this.#hint = hint;
  }

  /** Makes room for `n` more bytes. */
  ensure(n: number): void {
    if (this.length + n > this.buffer.length) this.#grow(this.length + n);
  }

  /** Copies `source[start..end)`. */
  bytes(source: Buffer, start = 0, end = source.length): void {
    this.ensure(end - start);
    const { buffer } = this;
    let at = this.length;
    if (end - start < BY_HAND) for (let from = start; from < end; from++) buffer[at++] = source[from]!;
    else if (end - start === source.length) {
      // Half of what `copy` takes.
      buffer.set(source, at);
      at = at + end - start;
    } else at += source.copy(buffer, at, start, end);
    this.length = at;
  }

  /** Characters below U+0080 only. */
  ascii(text: string): void {
    this.ensure(text.length);
    const { buffer } = this;
    let at = this.length;
    if (text.length < BY_HAND) for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
    else at += buffer.write(text, at, "latin1");
    this.length = at;
  }

  utf8(text: string): void {
    this.ensure(text.length * 3);
    this.length += this.buffer.write(text, this.length, "utf8");
  }

  byte(value: number): void {
    this.ensure(1);
    this.buffer[this.length++] = value;
  }

  /** Forgets the contents and keeps the memory: only when nobody uses what `view` gave. */
  reset(): void {
    this.length = 0;
  }

  /** What was written, over the writer's own memory. */
  view(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** What was written; from now on it is the caller's, and the writer begins with fresh memory of the same size. */
  take(): Buffer {
    const taken = this.view();
    this.#hint = Math.max(this.#hint, this.length);
    this.buffer = EMPTY;
    this.length = 0;
    return taken;
  }

  #grow(needed: number): void {
    const next = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2, this.#hint));
    this.buffer.copy(next, 0, 0, this.length);
    this.buffer = next;
  }
}
