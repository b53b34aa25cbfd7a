import type { RecordBatch } from "../../agent/api/batch.ts";

/** Some records of a write: by their indexes through all of its batches, ascending. */
export class Rows {
  readonly #batches: readonly RecordBatch[];
  readonly ats: Uint32Array;

  private constructor(batches: readonly RecordBatch[], ats: Uint32Array) {
    this.#batches = batches;
    this.ats = ats;
  }

  static of(batches: readonly RecordBatch[]): Rows {
    let count = 0;
    for (const batch of batches) count += batch.count;
    const ats = new Uint32Array(count);
    for (let at = 0; at < count; at++) ats[at] = at;
    return new Rows(batches, ats);
  }

  /** What is of one source stays in order. */
  static bySource(batches: readonly RecordBatch[]): Rows[] {
    const groups = new Map<string, number[]>();
    let at = 0;
    for (const { source, count } of batches) {
      const name = source.path ?? source.input;
      const ats = groups.get(name) ?? [];
      groups.set(name, ats);
      for (let i = 0; i < count; i++) ats.push(at++);
    }
    return [...groups.values()].map((ats) => new Rows(batches, Uint32Array.from(ats)));
  }

  get count(): number {
    return this.ats.length;
  }

  /** The batch of the first of them. */
  get first(): RecordBatch {
    let left = this.ats[0]!;
    return this.#batches.find(({ count }) => {
      if (left < count) return true;
      left -= count;
      return false;
    })!;
  }

  each(visit: (batch: RecordBatch, index: number) => void): void {
    const { ats } = this;
    let next = 0;
    let first = 0;
    for (const batch of this.#batches) {
      const end = first + batch.count;
      for (; next < ats.length && ats[next]! < end; next++) visit(batch, ats[next]! - first);
      first = end;
    }
  }

  only(at: number): Rows {
    return new Rows(this.#batches, Uint32Array.of(at));
  }

  without(at: number): Rows {
    return new Rows(
      this.#batches,
      this.ats.filter((other) => other !== at),
    );
  }
}
