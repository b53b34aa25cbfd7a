/**
 * Memory of batches, used again when the queue is done with them: what was read, and where its fields are. A mebibyte that is new to the
 * process costs it 256 page faults, and V8 counts it as growth of the heap (measured on the main job: an eighth of the CPU).
 *
 * One for all inputs of the process, so that its bound holds for all of them together.
 */
const UNIT = 64 * 1024;
/** Kept for the next batches; what a burst gives back beyond it is freed. */
const MAX_SPARE_BYTES = 16 * 1024 * 1024;

export class MemoryPool {
  /** The one given back last is the one most likely still in the processor's cache. */
  readonly #spare: ArrayBuffer[] = [];
  #bytes = 0;

  /** A buffer of so many bytes with anything in it. */
  take(length: number): Buffer {
    if (length < UNIT) return Buffer.allocUnsafeSlow(length);
    const size = Math.ceil(length / UNIT) * UNIT;
    for (let i = this.#spare.length - 1; i >= 0; i--) {
      const { byteLength } = this.#spare[i]!;
      // Blocks of a queue differ a little in size.
      if (byteLength < size || byteLength > size + size / 4) continue;
      const [memory] = this.#spare.splice(i, 1);
      this.#bytes -= byteLength;
      return Buffer.from(memory!, 0, length);
    }
    return Buffer.from(Buffer.allocUnsafeSlow(size).buffer, 0, length);
  }

  /** Nobody can see it any more. Whole units only come back to use: the rest was never from here. */
  give(memory: ArrayBuffer): void {
    const { byteLength } = memory;
    if (byteLength === 0 || byteLength % UNIT !== 0 || this.#bytes + byteLength > MAX_SPARE_BYTES) {
      memory.transfer(0);
      return;
    }
    this.#spare.push(memory);
    this.#bytes += byteLength;
  }

  /** Nothing to read for a while. */
  clear(): void {
    for (const memory of this.#spare.splice(0)) memory.transfer(0);
    this.#bytes = 0;
  }
}

export const memoryPool = new MemoryPool();

// Until a first buffer is detached V8 compiles as if none ever were, and then throws all of that away. Better now than in the midst of the
// first batches.
new ArrayBuffer(1).transfer();
