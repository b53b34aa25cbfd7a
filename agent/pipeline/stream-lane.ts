import type { Output } from "../api/output.ts";
import type { OutputStatus } from "../api/status.ts";
import type { Place } from "../queue/types.ts";
import { attempt } from "./attempt.ts";
import { type Chunk, pick, precedes } from "./chunk.ts";
import { bury, type Lane, type LaneParts, messageOf, skipTo, statusOf } from "./lane.ts";
import { type TakeLimits, Taker } from "./taker.ts";

export interface StreamLaneOptions {
  readonly limits: TakeLimits;
  readonly concurrency: number;
  /** After so many attempts at a record it becomes a dead letter; undefined: never. */
  readonly attempts: number | undefined;
}

/** A lane for outputs that take requests of many records. Chunks settle in any order; the cursor follows the settled prefix. */
export class StreamLane implements Lane {
  readonly alias: string;
  readonly #parts: LaneParts;
  readonly #output: Output;
  readonly #options: StreamLaneOptions;
  readonly #taker: Taker;
  readonly #stop = new AbortController();
  /** Begun and not yet passed by the cursor, in order. */
  readonly #open: Chunk[] = [];
  readonly #running = new Set<Promise<void>>();
  #stored = 0;
  #dropTo: Place | undefined;
  #wakers: (() => void)[] = [];
  #committing: Promise<void> = Promise.resolve();

  constructor(parts: LaneParts, output: Output, options: StreamLaneOptions) {
    this.alias = parts.alias;
    this.#parts = parts;
    this.#output = output;
    this.#options = options;
    this.#taker = new Taker(parts.reader, options.limits, parts.clock, () => this.#settleIdle());
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (this.#running.size >= this.#options.concurrency) {
        await Promise.race(this.#running);
        continue;
      }
      await this.#taker.take(signal, (chunk) => this.#begin(chunk)).catch((error: unknown) => this.#unreadable(error));
    }
    await Promise.all(this.#running);
  }

  #begin(chunk: Chunk): void {
    this.#open.push(chunk);
    this.#parts.ledger.open.add(chunk.tally);
    const work = this.#persist(chunk).then(() => {
      this.#running.delete(work);
      this.#wake();
    });
    this.#running.add(work);
  }

  /** Reading the queue failed: the queue has said so; the lane tries again after a while. */
  async #unreadable(error: unknown): Promise<void> {
    this.#parts.health.failed("degraded", `reading the queue: ${messageOf(error)}`);
    await this.#parts.health.enter(this.#stop.signal);
    this.#parts.health.left();
  }

  async #persist(chunk: Chunk): Promise<void> {
    while (!chunk.settled && !this.#stop.signal.aborted) {
      await this.#deliver(chunk).catch((error: unknown) => this.#unreadable(error));
    }
  }

  /** Writes a chunk until all of it is settled. */
  async #deliver(chunk: Chunk): Promise<void> {
    const { health, emit, clock, reader, timeoutMs } = this.#parts;
    const signals = [this.#stop.signal, chunk.abort.signal];
    const storedBefore = this.#stored;
    let batches = chunk.batches();
    while (!this.#stop.signal.aborted) {
      if (this.#givenUp(chunk)) return this.#settle(chunk);
      await health.enter(AbortSignal.any(signals));
      if (this.#stop.signal.aborted) return;
      if (this.#givenUp(chunk)) {
        health.left();
        return this.#settle(chunk);
      }
      chunk.attempts++;
      const begun = clock.monotonic();
      const plan = {
        id: `${chunk.start.seq}.${chunk.start.index}`,
        repeat: chunk.attempts > 1 || chunk.start.seq <= reader.replayedTo,
      };
      const outcome = await attempt(batches, plan, {
        output: this.#output,
        timeoutMs,
        signals,
        othersAccepted: () => this.#stored > storedBefore,
      });
      const rejected = new Map(outcome.rejected);
      let again = outcome.again;
      const { attempts } = this.#options;
      if (again.length > 0 && attempts !== undefined && chunk.attempts >= attempts && !outcome.aborted) {
        for (const index of again)
          rejected.set(index, `gave up after ${chunk.attempts} attempts: ${outcome.trouble?.reason}`);
        again = [];
      }
      this.#count(chunk, batches, outcome.stored, outcome.repeated, rejected, again, clock.monotonic() - begun);
      try {
        await bury(this.#parts, batches, rejected, chunk.attempts);
        chunk.tally.rejected += rejected.size;
      } catch (error) {
        // Without their dead letters written, the refused records are not settled: they go again.
        again = [...again, ...rejected.keys()].sort((a, b) => a - b);
        health.failed("degraded", `writing dead letters: ${messageOf(error)}`);
        batches = pick(batches, Uint32Array.from(again));
        continue;
      }
      if (again.length === 0) {
        health.ok();
        if (outcome.pauseMs > 0) health.pause(outcome.pauseMs);
        return this.#settle(chunk);
      }
      if (outcome.aborted) {
        health.left();
        continue;
      }
      const trouble = outcome.trouble ?? { state: "degraded" as const, reason: "not stored" };
      const delayMs = health.failed(trouble.state, trouble.reason, outcome.pauseMs);
      emit({
        is: "retry",
        output: this.alias,
        records: again.length,
        attempt: chunk.attempts,
        delayMs,
        reason: trouble.reason,
      });
      this.#wake();
      if (again.length < chunk.records) batches = pick(batches, Uint32Array.from(again));
      else if (trouble.state === "blocked" && chunk === this.#open.at(-1)) {
        // More records beside them show whether these are at fault, or the destination refuses everything.
        await this.#taker.extend(chunk);
        batches = chunk.batches();
      }
    }
  }

  #count(
    chunk: Chunk,
    batches: readonly { size(): number }[],
    stored: number,
    repeated: number,
    rejected: ReadonlyMap<number, string>,
    again: readonly number[],
    ms: number,
  ): void {
    if (stored === 0) return;
    const { emit } = this.#parts;
    let bytes = 0;
    for (const batch of batches) bytes += batch.size();
    // Bytes of the stored ones alone would need a sum per record; with failures the share is near enough for a rate.
    if (rejected.size + again.length > 0)
      bytes = Math.round((bytes * stored) / (stored + rejected.size + again.length));
    this.#stored += stored;
    chunk.tally.delivered += stored;
    emit({ is: "delivered", output: this.alias, records: stored, bytes, ms });
    if (repeated > 0) emit({ is: "repeated", output: this.alias, records: repeated });
  }

  /** Whether the rest of the chunk is to be given up: the queue needs room, or it is too old. Counts it as lost. */
  #givenUp(chunk: Chunk): boolean {
    const { maxAgeMs, clock, emit } = this.#parts;
    const tooOld = maxAgeMs !== undefined && chunk.youngest < clock.now() - maxAgeMs;
    if (!chunk.dropped && !tooOld) return false;
    const records = chunk.records - chunk.tally.settled;
    chunk.tally.lost += records;
    const reason = chunk.dropped ? "queue full, on_full: drop_oldest" : "older than queue.max_age";
    emit({ is: "lost", where: "output", name: this.alias, records, bytes: chunk.bytes, reason });
    return true;
  }

  async #settle(chunk: Chunk): Promise<void> {
    chunk.settled = true;
    let cursor: Place | undefined;
    while (this.#open[0]?.settled) {
      const passed = this.#open.shift()!;
      this.#parts.ledger.pass(passed.tally);
      cursor = passed.end;
    }
    if (cursor === undefined) return;
    if (this.#open.length === 0) cursor = furthest(cursor, this.#taker.position);
    await this.#commit(cursor);
    await this.#skip();
  }

  /** With nothing open, blocks that hold nothing for this output must not hold their segments. */
  #settleIdle(): void {
    if (this.#open.length > 0 || !precedes(this.#parts.reader.cursor, this.#taker.position)) return;
    void this.#commit(this.#taker.position);
    this.#wake();
  }

  #commit(cursor: Place): Promise<void> {
    const { reader, ledger } = this.#parts;
    ledger.passTo(cursor.seq);
    const stored = ledger.stored();
    return this.#inTurn(async () => {
      if (precedes(reader.cursor, cursor)) await reader.commit(cursor, { ledger: stored });
    });
  }

  /** Cursor writes, one after the other. One that fails is made up for by the next: the cursor only lags. */
  #inTurn(write: () => Promise<void>): Promise<void> {
    this.#committing = this.#committing.then(write).catch((error: unknown) => {
      const message = `cursor not saved: ${messageOf(error)}`;
      this.#parts.emit({ is: "notice", level: "error", component: this.alias, message });
    });
    return this.#committing.then(() => this.#wake());
  }

  drop(to: Place): void {
    if (this.#dropTo && !precedes(this.#dropTo, to)) return;
    this.#dropTo = to;
    for (const chunk of this.#open) {
      if (!precedes(chunk.start, to)) continue;
      chunk.dropped = true;
      chunk.abort.abort();
    }
    void this.#skip();
  }

  /** Gives up what was not begun yet, up to the place the queue asked for; first what was begun before it must be settled. */
  async #skip(): Promise<void> {
    const to = this.#dropTo;
    if (to === undefined || (this.#open[0] && precedes(this.#open[0].start, to))) return;
    this.#dropTo = undefined;
    if (!precedes(this.#taker.position, to)) return;
    this.#taker.seek(to);
    const { reader, ledger } = this.#parts;
    await this.#inTurn(() => skipTo(to, { ledger: ledger.stored() }, this.alias, reader, ledger, this.#parts.emit));
  }

  async drained(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#idle() || this.#parts.health.failing, signal);
  }

  async settled(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#idle(), signal);
  }

  #idle(): boolean {
    return this.#open.length === 0 && this.#parts.reader.backlog().records === 0;
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition() && !signal.aborted && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wakers.push(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await Promise.all(this.#running);
    await this.#committing;
    this.#parts.health.stopped();
    await this.#output.close();
    await this.#parts.reader.close();
  }

  status(): OutputStatus {
    return statusOf(this.#parts, this.#open.length);
  }
}

function furthest(a: Place, b: Place): Place {
  return precedes(a, b) ? b : a;
}
