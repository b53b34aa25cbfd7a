import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { Block, Place, QueueReader } from "../queue/types.ts";
import { Chunk } from "./chunk.ts";
import { sleep } from "./waiting.ts";

export interface TakeLimits {
  readonly records: number;
  /** Bytes as encoded; estimated from the record, its additions and `overhead`. */
  readonly bytes: number;
  readonly overhead: number;
  /** How long the first record may wait for others, in milliseconds. */
  readonly linger: number;
}

/** Cuts the queue's blocks into chunks of at most the output's limits. */
export class Taker {
  readonly #reader: QueueReader;
  readonly #limits: TakeLimits;
  readonly #clock: Clock;
  /** Where reading began: the first block may have to be entered in its middle. */
  #begin: Place;
  /** The block that is only partly taken. */
  #rest: { block: Block; from: number } | undefined;

  readonly #onIdle: () => void;
  /** Counts seeks, so that what an older read returns is not taken for new. */
  #generation = 0;
  #taking = false;
  #extending: Promise<unknown> | undefined;
  /** The chunk `take` has not returned yet. */
  #gathering: Chunk | undefined;
  /** Where the reader stood before it was asked: it moves on before its block is here. */
  #fetching: Place | undefined;

  /** `onIdle` is called whenever the queue has nothing more for this output. */
  constructor(reader: QueueReader, limits: TakeLimits, clock: Clock, onIdle: () => void) {
    this.#reader = reader;
    this.#limits = limits;
    this.#clock = clock;
    this.#begin = reader.cursor;
    this.#onIdle = onIdle;
  }

  /** Everything before it was returned by `take`, or does not match. What is still being gathered lies after it. */
  get position(): Place {
    if (this.#gathering && this.#gathering.records > 0) return this.#gathering.start;
    if (this.#rest) return { seq: this.#rest.block.seq, index: this.#rest.from };
    return this.#fetching ?? this.#reader.position;
  }

  /** Goes on from another place; what `take` has gathered and not returned is forgotten. */
  seek(place: Place): void {
    this.#generation++;
    this.#rest = undefined;
    this.#gathering = undefined;
    // A read under way goes on from the new place, and is done again: until then the reader stands too far.
    if (this.#fetching) this.#fetching = place;
    this.#begin = place;
    this.#reader.seek(place);
  }

  /**
   * The next chunk; waits for a first record, then `linger` for others unless it is full. Nothing when the signal aborts first. `taken`
   * is called with it in the very moment from which this taker no longer holds the cursor back for it.
   */
  async take(signal: AbortSignal, taken: (chunk: Chunk) => void): Promise<void> {
    while (this.#extending) await this.#extending;
    this.#taking = true;
    try {
      for (;;) {
        const chunk = await this.#gather(signal);
        if (chunk === undefined) return;
        // A seek between the last look and here: these records are given up already.
        if (chunk !== this.#gathering) continue;
        taken(chunk);
        this.#gathering = undefined;
        return;
      }
    } catch (error) {
      const { position } = this;
      this.#fetching = undefined;
      this.seek(position);
      throw error;
    } finally {
      this.#taking = false;
    }
  }

  /** Adds what the queue has now to a chunk that is not full; only to the chunk taken last, and not beside a `take`. */
  async extend(chunk: Chunk): Promise<void> {
    if (this.#taking || this.#extending) return;
    const filling = this.#fill(chunk);
    this.#extending = filling.catch(() => {});
    try {
      await filling;
    } finally {
      this.#extending = undefined;
    }
  }

  async #gather(signal: AbortSignal): Promise<Chunk | undefined> {
    let chunk = new Chunk();
    let deadline = Number.POSITIVE_INFINITY;
    while (!signal.aborted) {
      const generation = this.#generation;
      this.#gathering = chunk;
      const full = await this.#fill(chunk);
      if (generation !== this.#generation) {
        chunk = new Chunk();
        deadline = Number.POSITIVE_INFINITY;
      } else if (full) {
        return chunk;
      } else if (chunk.records > 0) {
        if (deadline === Number.POSITIVE_INFINITY) deadline = this.#clock.monotonic() + this.#limits.linger;
        const left = deadline - this.#clock.monotonic();
        if (left <= 0) return chunk;
        await this.#waitAtMost(left, signal);
        if (generation === this.#generation) continue;
        chunk = new Chunk();
        deadline = Number.POSITIVE_INFINITY;
      } else {
        this.#onIdle();
        await this.#reader.wait(signal);
      }
    }
    return undefined;
  }

  /** True when the chunk takes no more. */
  async #fill(chunk: Chunk): Promise<boolean> {
    const generation = this.#generation;
    for (;;) {
      if (this.#rest === undefined) {
        this.#fetching = this.#reader.position;
        const next = this.#reader.next();
        const block = next instanceof Promise ? await next : next;
        this.#fetching = undefined;
        if (generation !== this.#generation) {
          this.#reader.seek(this.#begin);
          return false;
        }
        if (block === undefined) return false;
        this.#rest = { block, from: this.#begin.seq === block.seq ? this.#begin.index : 0 };
      }
      const { block, from } = this.#rest;
      const { to, bytes } = this.#reach(block.batch, from, chunk);
      if (to > from) chunk.add(block, from, to, bytes);
      if (to < block.batch.count) {
        this.#rest.from = to;
        return true;
      }
      this.#rest = undefined;
      if (chunk.records >= this.#limits.records || chunk.bytes >= this.#limits.bytes) return true;
    }
  }

  /** How far into the batch the chunk's limits reach; always one record at least into an empty chunk. */
  #reach(batch: RecordBatch, from: number, chunk: Chunk): { to: number; bytes: number } {
    const { records, bytes: most, overhead } = this.#limits;
    let each = overhead;
    for (const addition of batch.additions) each += addition.json.length + addition.path.join("").length + 8;
    const last = Math.max(from, Math.min(batch.count, from + records - chunk.records));
    let bytes = 0;
    let to = from;
    for (; to < last; to++) {
      const more = batch.ends[to]! - batch.starts[to]! + each;
      if (chunk.bytes + bytes + more > most && (to > from || chunk.records > 0)) break;
      bytes += more;
    }
    return { to, bytes };
  }

  async #waitAtMost(ms: number, signal: AbortSignal): Promise<void> {
    const either = new AbortController();
    const stop = () => either.abort();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([sleep(ms, either.signal), this.#reader.wait(either.signal)]);
    stop();
    signal.removeEventListener("abort", stop);
  }
}
