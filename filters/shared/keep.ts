import type { RecordBatch } from "../../agent/api/batch.ts";

/** Drops records by a test, with one index buffer for all batches. The batch itself comes back where nothing is dropped. */
export class Keeper {
  #indices = new Uint32Array(0);

  keep(batch: RecordBatch, wanted: (batch: RecordBatch, i: number) => boolean): RecordBatch {
    const { count } = batch;
    if (this.#indices.length < count) this.#indices = new Uint32Array(count);
    let kept = 0;
    for (let i = 0; i < count; i++) if (wanted(batch, i)) this.#indices[kept++] = i;
    return kept === count ? batch : batch.select(this.#indices, kept);
  }
}
