/**
 * Memory of request bodies, used again: some mebibytes that are new to the process for every request cost it their page faults, and have
 * V8 collect its whole heap every few requests (measured with Splunk: half of the CPU).
 *
 * One pool for all outputs of the process, so that its bounds hold for all of them together.
 */
import { ByteWriter } from "./writer.ts";

/** Of all spares together; what is given beyond it is left to the garbage collector, and so is a single one above the other. */
const MAX_BYTES = 48 * 1024 * 1024;
const MAX_EACH = 16 * 1024 * 1024;
const HINT = 1024 * 1024;
/** Kept so long after the last use. */
const IDLE_MS = 10_000;

export class BodyPool {
  readonly #spares: ByteWriter[] = [];
  #bytes = 0;
  #idle: NodeJS.Timeout | undefined;

  /** An empty writer; its memory may be anything. */
  take(): ByteWriter {
    const spare = this.#spares.pop();
    if (spare === undefined) return new ByteWriter(HINT);
    this.#bytes -= spare.buffer.length;
    return spare;
  }

  /** Only when nobody reads its memory any more, the operating system included: not after a request that did not go out as a whole. */
  give(writer: ByteWriter): void {
    const { length } = writer.buffer;
    if (length > MAX_EACH || this.#bytes + length > MAX_BYTES) return;
    writer.reset();
    this.#spares.push(writer);
    this.#bytes += length;
    if (this.#idle) this.#idle.refresh();
    else
      this.#idle = setTimeout(() => {
        this.#spares.length = 0;
        this.#bytes = 0;
      }, IDLE_MS).unref();
  }
}

export const bodyPool = new BodyPool();
