import type { RecordBatch } from "../api/batch.ts";
import type { Tap } from "./feed.ts";

/** Who looks at the batches on their way into the queue. They are told synchronously, and copy what they want to keep. */
export class Taps implements Tap {
  readonly #listeners = new Set<(batch: RecordBatch) => void>();

  get open(): boolean {
    return this.#listeners.size > 0;
  }

  tell(batch: RecordBatch): void {
    for (const listener of this.#listeners) {
      try {
        listener(batch);
      } catch {
        // Who looks on must not be able to stop what he looks at.
        this.#listeners.delete(listener);
      }
    }
  }

  /** Returns what ends it. */
  add(listener: (batch: RecordBatch) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
