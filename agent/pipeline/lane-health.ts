import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../api/clock.ts";
import type { ComponentState, Emit } from "../api/events.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";

/**
 * Whether the destination takes anything, and when to ask again. While it does not, one attempt at a time passes the gate (the probe);
 * the first success opens it for all.
 */
export class LaneHealth {
  readonly #alias: string;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #backoff: Backoff;
  #resumeAt = 0;
  #probing = false;
  #waiters: (() => void)[] = [];
  state: ComponentState = "starting";
  since: number;
  reason: string | undefined;
  /** When records last settled, milliseconds since the epoch. */
  lastProgress: number | undefined;

  constructor(alias: string, clock: Clock, emit: Emit, backoff: BackoffOptions, random?: () => number) {
    this.#alias = alias;
    this.#clock = clock;
    this.#emit = emit;
    this.#backoff = new Backoff(backoff, random);
    this.since = clock.now();
  }

  get failing(): boolean {
    return this.#backoff.failures > 0;
  }

  /** Waits until an attempt may be made. Every pass is answered by `ok` or `failed`, or given back by `left`. */
  async enter(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!this.failing && this.#resumeAt <= this.#clock.monotonic()) return;
      if (this.#probing) {
        await this.#turn(signal);
        continue;
      }
      this.#probing = true;
      const wait = this.#resumeAt - this.#clock.monotonic();
      if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
      if (signal.aborted) this.left();
      return;
    }
  }

  ok(): void {
    this.lastProgress = this.#clock.now();
    this.#backoff.reset();
    this.left();
    this.#set("ok");
  }

  /** The destination answered, but wants fewer or slower requests, or is not there. Returns the delay. */
  failed(state: "degraded" | "blocked", reason: string, pauseMs?: number): number {
    const delay = this.#backoff.next(pauseMs);
    this.#resumeAt = this.#clock.monotonic() + delay;
    this.left();
    this.#set(state, reason);
    return delay;
  }

  /** A pause asked for along with success. */
  pause(ms: number): void {
    this.#resumeAt = Math.max(this.#resumeAt, this.#clock.monotonic() + ms);
  }

  /** An attempt ended without saying anything of the destination (it was aborted). */
  left(): void {
    this.#probing = false;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  stopped(): void {
    this.#set("stopped");
  }

  #set(state: ComponentState, reason?: string): void {
    if (this.state === state && this.reason === reason) return;
    const changed = this.state !== state;
    this.state = state;
    this.reason = reason;
    if (changed) this.since = this.#clock.now();
    this.#emit({
      is: "component",
      kind: "output",
      name: this.#alias,
      state,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiters.push(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}
