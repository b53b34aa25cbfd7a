import type { RecordBatch } from "../api/batch.ts";
import type { Output } from "../api/output.ts";
import type { OutputStatus } from "../api/status.ts";
import type { Place } from "../queue/types.ts";
import { attempt, type Outcome } from "./attempt.ts";
import { type Chunk, pick, precedes } from "./chunk.ts";
import { CursorKeeper } from "./cursor-keeper.ts";
import { bury, closeOutput, DROPPED, type Lane, type LaneParts, messageOf, statusOf } from "./lane.ts";
import type { LaneHealth, Pass } from "./lane-health.ts";
import { type TakeLimits, Taker } from "./taker.ts";
import { Bell } from "./waiting.ts";

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
  readonly #bell = new Bell();
  readonly #keeper: CursorKeeper;
  #stored = 0;
  #dropTo: Place | undefined;

  constructor(parts: LaneParts, output: Output, options: StreamLaneOptions) {
    this.alias = parts.alias;
    this.#parts = parts;
    this.#output = output;
    this.#options = options;
    this.#taker = new Taker(parts.reader, options.limits, parts.clock, () => this.#settleIdle());
    this.#keeper = new CursorKeeper(parts, this.#stop.signal, () => this.#bell.ring());
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    this.#keeper.begin();
    while (!signal.aborted) {
      if (this.#running.size >= this.#options.concurrency) {
        await this.#bell.wait(signal);
        continue;
      }
      await this.#taker.take(signal, (chunk) => this.#begin(chunk)).catch((error: unknown) => this.#unreadable(error));
    }
    await Promise.all(this.#running);
  }

  #begin(chunk: Chunk): void {
    this.#open.push(chunk);
    this.#parts.ledger.add(chunk.tally);
    if (this.#stop.signal.aborted) chunk.abort.abort();
    const work = this.#persist(chunk).then(() => {
      this.#running.delete(work);
      this.#bell.ring();
    });
    this.#running.add(work);
  }

  /** Reading the queue failed: the queue has said so; the lane tries again after a while. */
  #unreadable(error: unknown): Promise<void> {
    return this.#parts.health.stumble(`reading the queue: ${messageOf(error)}`, this.#stop.signal);
  }

  async #persist(chunk: Chunk): Promise<void> {
    while (!chunk.settled && !this.#stop.signal.aborted) {
      await this.#deliver(chunk).catch((error: unknown) =>
        this.#parts.health.stumble(messageOf(error), this.#stop.signal),
      );
    }
  }

  /** Writes a chunk until all of it is settled. */
  async #deliver(chunk: Chunk): Promise<void> {
    const { health } = this.#parts;
    const storedBefore = this.#stored;
    let batches = chunk.batches();
    while (!this.#stop.signal.aborted) {
      if (this.#givenUp(chunk)) return this.#settle(chunk);
      const pass = await health.enter(chunk.abort.signal);
      if (pass === undefined) continue;
      if (this.#givenUp(chunk)) {
        health.left(pass);
        return this.#settle(chunk);
      }
      const outcome = await this.#attempt(chunk, batches, () => this.#stored > storedBefore);
      let { again } = outcome;
      try {
        await bury(this.#parts, batches, outcome.rejected, chunk.attempts);
        chunk.tally.rejected += outcome.rejected.size;
      } catch (error) {
        // Without their dead letters written, the refused records are not settled: they go again.
        again = [...again, ...outcome.rejected.keys()].sort((a, b) => a - b);
        health.failed(pass, "degraded", `writing dead letters: ${messageOf(error)}`);
        batches = pick(batches, Uint32Array.from(again));
        continue;
      } finally {
        // What is left without any trouble was not tried.
        if (outcome.trouble === undefined && outcome.again.length > 0) chunk.attempts--;
      }
      if (again.length === 0) {
        health.pause(outcome.pauseMs);
        health.ok(pass);
        return this.#settle(chunk);
      }
      if (outcome.aborted) health.left(pass);
      else if (outcome.trouble === undefined) {
        health.pause(outcome.pauseMs);
        health.ok(pass);
      } else this.#retry(chunk, pass, outcome);
      if (again.length < chunk.records) batches = pick(batches, Uint32Array.from(again));
      else if (outcome.trouble?.state === "blocked" && chunk === this.#open.at(-1)) {
        // More records beside them show whether these are at fault, or the destination refuses everything.
        await this.#taker.extend(chunk);
        batches = chunk.batches();
      }
    }
  }

  /** One attempt, counted; after the last that is allowed, what is left is rejected. */
  async #attempt(chunk: Chunk, batches: readonly RecordBatch[], othersAccepted: () => boolean): Promise<Outcome> {
    const { clock, reader, timeoutMs } = this.#parts;
    const { start } = chunk;
    const repeat = chunk.attempts > 0 || start.seq <= reader.replayedTo;
    chunk.attempts++;
    const begun = clock.monotonic();
    const outcome = await attempt(
      batches,
      { id: `${start.seq}.${start.index}`, repeat },
      {
        output: this.#output,
        timeoutMs,
        signal: chunk.abort.signal,
        othersAccepted,
        abandoned: (write) => reader.holdWhile(write),
      },
    );
    this.#count(chunk, batches, outcome, clock.monotonic() - begun);
    const { attempts = Number.POSITIVE_INFINITY } = this.#options;
    if (outcome.trouble === undefined || outcome.aborted || chunk.attempts < attempts) return outcome;
    const rejected = new Map(outcome.rejected);
    const reason = `gave up after ${chunk.attempts} attempts: ${outcome.trouble.reason}`;
    for (const index of outcome.again) rejected.set(index, reason);
    return { ...outcome, again: [], rejected };
  }

  #retry(chunk: Chunk, pass: Pass, { again, trouble, pauseMs }: Outcome): void {
    const { state, reason } = trouble ?? { state: "degraded", reason: "not stored" };
    const delayMs = this.#parts.health.failed(pass, state, reason, pauseMs);
    const { attempts } = chunk;
    this.#parts.emit({ is: "retry", output: this.alias, records: again.length, attempt: attempts, delayMs, reason });
    this.#bell.ring();
  }

  #count(chunk: Chunk, batches: readonly RecordBatch[], outcome: Outcome, ms: number): void {
    const { stored, repeated, rejected, again } = outcome;
    if (stored === 0) return;
    const { emit, health } = this.#parts;
    let bytes = 0;
    for (const batch of batches) bytes += batch.size();
    // Bytes of the stored ones alone would need a sum per record; with failures the share is near enough for a rate.
    bytes = Math.round((bytes * stored) / (stored + rejected.size + again.length));
    this.#stored += stored;
    chunk.tally.delivered += stored;
    health.progress();
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
    const reason = chunk.dropped ? DROPPED : "older than queue.max_age";
    emit({ is: "lost", where: "output", name: this.alias, records, bytes: chunk.bytes, reason });
    return true;
  }

  async #settle(chunk: Chunk): Promise<void> {
    chunk.settled = true;
    let cursor: Place | undefined;
    while (this.#open[0]?.settled) cursor = this.#open.shift()!.end;
    if (cursor === undefined) return;
    if (this.#open.length === 0) cursor = furthest(cursor, this.#taker.position);
    this.#skip();
    await this.#keeper.moveTo(cursor);
  }

  /** With nothing open, blocks that hold nothing for this output must not hold their segments. */
  #settleIdle(): void {
    if (this.#open.length === 0) void this.#keeper.moveTo(this.#taker.position);
  }

  drop(to: Place): void {
    if (this.#dropTo && !precedes(this.#dropTo, to)) return;
    this.#dropTo = to;
    for (const chunk of this.#open) {
      if (!precedes(chunk.start, to)) continue;
      chunk.dropped = true;
      chunk.abort.abort();
    }
    this.#skip();
  }

  /** Gives up what was not begun yet, up to the place the queue asked for; first what was begun before it must be settled. */
  #skip(): void {
    const to = this.#dropTo;
    if (to === undefined || (this.#open[0] && precedes(this.#open[0].start, to))) return;
    this.#dropTo = undefined;
    if (!precedes(this.#taker.position, to)) return;
    this.#taker.seek(to);
    void this.#keeper.skipTo(to);
  }

  drained(signal: AbortSignal): Promise<void> {
    return this.#bell.until(() => this.#idle() || this.#parts.health.resting, signal, this.#stop.signal);
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#bell.until(() => this.#idle(), signal, this.#stop.signal);
  }

  #idle(): boolean {
    return this.#open.length === 0 && this.#parts.reader.backlog().records === 0;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    for (const chunk of this.#open) chunk.abort.abort();
    this.#bell.ring();
    await Promise.all(this.#running);
    await this.#keeper.rest();
    this.#parts.health.stopped();
    try {
      await closeOutput(this.#output);
    } finally {
      await this.#parts.reader.close();
    }
  }

  get health(): LaneHealth {
    return this.#parts.health;
  }

  status(): OutputStatus {
    return statusOf(this.#parts, this.#open.length);
  }
}

function furthest(a: Place, b: Place): Place {
  return precedes(a, b) ? b : a;
}
