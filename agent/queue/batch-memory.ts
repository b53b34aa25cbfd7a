/**
 * Gives the memory of batches back to their input the moment nobody can look at them any more, instead of when the garbage collector comes
 * to it.
 *
 * Only for batches with `release`, and when all their siblings (what filters made of the same bytes) are done with too. Who looks at one
 * in spite of that finds it empty: the memory goes on under another ArrayBuffer, so it is never another batch's bytes.
 */
import type { RecordBatch } from "../api/batch.ts";

interface Use {
  /** Batches that lie in the buffer and are not done with. */
  batches: number;
  /** Undefined as soon as one of them is without it. */
  release: RecordBatch["release"];
}

export class BatchMemory {
  readonly #uses = new Map<ArrayBufferLike, Use>();
  #holds = 0;

  /** A batch enters the log. In the same tick as its siblings, before the first of them can be done with. */
  add(batch: RecordBatch): void {
    const { buffer } = batch.buffer;
    const use = this.#uses.get(buffer);
    if (use === undefined) this.#uses.set(buffer, { batches: 1, release: batch.release });
    else {
      use.batches++;
      use.release &&= batch.release;
    }
  }

  /** Neither the log nor a reader needs the batch's bytes any more. */
  done(batch: RecordBatch): void {
    const { buffer } = batch.buffer;
    const use = this.#uses.get(buffer);
    if (use === undefined || --use.batches > 0) return;
    this.#uses.delete(buffer);
    // While something holds on, the garbage collector must find out.
    if (this.#holds > 0 || use.release === undefined || !(buffer instanceof ArrayBuffer)) return;
    use.release(buffer.transfer());
    batch.scanned?.release();
  }

  /** The same for a batch that never entered, and has no siblings. */
  doneAlone(batch: RecordBatch): void {
    this.add(batch);
    this.done(batch);
  }

  /** Until `work` settles nothing is freed: it may look at what others believe to be done with. */
  holdWhile(work: Promise<unknown>): void {
    this.#holds++;
    const release = () => {
      this.#holds--;
    };
    work.then(release, release);
  }
}
