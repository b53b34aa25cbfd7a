/** Whether the queue has room, and the waiting where it has none. */
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import type { Log } from "./log.ts";
import { pause } from "./pause.ts";

/** Whether an append is urgent can change without anybody telling. */
const POLL_MS = 250;
/** Part of the reserve that only positions may fill. */
const FOR_POSITIONS = 1 / 8;

export class Space {
  readonly #log: Log;
  readonly #maxBytes: number;
  readonly #reserveBytes: number;
  readonly #clock: Clock;
  readonly #emit: Emit;
  #fullSince: number | undefined;
  #closing = new AbortController();
  #wakers: (() => void)[] = [];

  constructor(log: Log, limits: { maxBytes: number; reserveBytes: number }, clock: Clock, emit: Emit) {
    this.#log = log;
    this.#maxBytes = limits.maxBytes;
    this.#reserveBytes = limits.reserveBytes;
    this.#clock = clock;
    this.#emit = emit;
    log.onSpace = () => this.wake();
  }

  get blocked(): { since: number; why: string } | undefined {
    return this.#fullSince === undefined ? undefined : { since: this.#fullSince, why: "the queue is full" };
  }

  /** Room for positions while appends wait: a part of the reserve that is nobody else's. */
  fitsPositions(need: number): boolean {
    return this.#has(need - this.#reserveBytes);
  }

  /** Without cursors to wait for, even a block larger than the whole queue may pass. */
  fits(need: number, urgent: (() => boolean) | undefined): boolean {
    const log = this.#log;
    if (this.#has(need) || log.needed() >= log.next) return true;
    return urgent !== undefined && this.#has(need - this.#reserveBytes * (1 - FOR_POSITIONS)) && urgent();
  }

  #has(need: number): boolean {
    return this.#log.bytes + need <= this.#maxBytes;
  }

  /** An append got in. */
  entered(): void {
    if (this.#fullSince === undefined || !this.#has(0)) return;
    this.#emit({ is: "queue_space", waitedMs: this.#clock.monotonic() - this.#fullSince });
    this.#fullSince = undefined;
  }

  async wait(): Promise<void> {
    if (this.#fullSince === undefined) {
      this.#fullSince = this.#clock.monotonic();
      this.#emit({ is: "queue_full", bytes: this.#log.bytes, maxBytes: this.#maxBytes });
    }
    this.#askToDrop();
    await this.#log.release();
    const woken = new Promise<void>((resolve) => this.#wakers.push(resolve));
    await Promise.race([woken, pause(POLL_MS, this.#closing.signal)]);
  }

  /** Only where it helps: as long as somebody else needs the oldest segment too, giving records up would free nothing. */
  #askToDrop(): void {
    const oldest = this.#log.segments[0];
    if (!oldest) return;
    // One that is still written to, alone, has no end yet: with all of it given up, the next block may pass.
    const seq = Math.min(oldest.limit, this.#log.durable + 1);
    for (const orphan of this.#log.orphans.values()) if (orphan.place.seq < seq) return;
    const holders = [...this.#log.readers].filter((reader) => reader.cursor.seq < seq);
    if (holders.some((reader) => !reader.dropsOldest)) return;
    for (const reader of holders) reader.askToDrop({ seq, index: 0 });
  }

  wake(): void {
    for (const waker of this.#wakers.splice(0)) waker();
  }

  close(): void {
    this.#closing.abort();
    this.wake();
  }
}
