import type { Clock } from "../api/clock.ts";
import type { ComponentState, Emit } from "../api/events.ts";
import { Backoff, type BackoffOptions, LONGEST_PAUSE_MS } from "./backoff.ts";
import { Bell, sleep } from "./waiting.ts";

/** Leave to make one attempt. It ends with `ok`, `failed` or `left`. */
export interface Pass {
  /** While it lasts no other attempt is made. */
  readonly probe: boolean;
  /** How many failures had been counted when the attempt began. */
  readonly epoch: number;
}

/** An operator who pauses the output, or a reload that exchanges it. */
type Holder = "operator" | "exchange";

/**
 * Whether the destination takes anything, and when to ask again. While it does not, one attempt at a time passes the gate (the probe);
 * the first success opens it for all.
 */
export class LaneHealth {
  readonly #alias: string;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #backoff: Backoff;
  readonly #gate = new Bell();
  #resumeAt = 0;
  #probing = false;
  #epoch = 0;
  /** Attempts under way. */
  #active = 0;
  #own: { readonly state: ComponentState; readonly since: number; readonly reason: string | undefined };
  /** While there is one no attempt is made. */
  readonly #holds = new Map<Holder, { readonly since: number; readonly reason: string }>();
  /** When records last settled, milliseconds since the epoch. */
  lastProgress: number | undefined;

  constructor(alias: string, clock: Clock, emit: Emit, backoff: BackoffOptions, random?: () => number) {
    this.#alias = alias;
    this.#clock = clock;
    this.#emit = emit;
    this.#backoff = new Backoff(backoff, random);
    this.#own = { state: "starting", since: clock.now(), reason: undefined };
  }

  get state(): ComponentState {
    return this.#held && this.#own.state !== "stopped" ? "blocked" : this.#own.state;
  }

  /** Of the state, milliseconds since the epoch. */
  get since(): number {
    return this.#held?.since ?? this.#own.since;
  }

  get reason(): string | undefined {
    return this.#held?.reason ?? this.#own.reason;
  }

  get held(): boolean {
    return this.#holds.size > 0;
  }

  get #held() {
    return this.#holds.get("operator") ?? this.#holds.get("exchange");
  }

  /** Nothing is to be expected of it now: it fails, or somebody holds it. */
  get resting(): boolean {
    return this.failing || this.held;
  }

  /** Lets no further attempt begin until `release` of the same holder; what is under way ends as it will. */
  hold(reason: string, by: Holder = "operator"): void {
    this.#holds.set(by, { since: this.#clock.now(), reason });
    this.#tell();
    this.#gate.ring();
  }

  release(by: Holder = "operator"): void {
    if (!this.#holds.delete(by)) return;
    this.#tell();
    this.#gate.ring();
  }

  /** Resolves when no attempt is under way, or the signal aborts. */
  quiet(signal: AbortSignal): Promise<void> {
    return this.#gate.until(() => this.#active === 0, signal, signal);
  }

  get failing(): boolean {
    return this.#backoff.failures > 0;
  }

  /** Waits until an attempt may be made; undefined when the signal aborts first. */
  async enter(signal: AbortSignal): Promise<Pass | undefined> {
    while (!signal.aborted) {
      if (this.#held) {
        await this.#gate.wait(signal);
        continue;
      }
      const wait = this.#resumeAt - this.#clock.monotonic();
      if (!this.failing && wait <= 0) return this.#pass(false);
      if (this.#probing) {
        await this.#gate.wait(signal);
        continue;
      }
      this.#probing = true;
      await this.#rest(signal);
      if (!signal.aborted && !this.#held) return this.#pass(true);
      this.#endProbe();
    }
    return undefined;
  }

  #pass(probe: boolean): Pass {
    this.#active++;
    return { probe, epoch: this.#epoch };
  }

  /** Until the time to resume, which may move meanwhile. */
  async #rest(signal: AbortSignal): Promise<void> {
    for (;;) {
      const wait = this.#resumeAt - this.#clock.monotonic();
      if (wait <= 0 || signal.aborted) return;
      await sleep(wait, signal);
    }
  }

  ok(pass: Pass): void {
    this.progress();
    this.#backoff.reset();
    this.left(pass);
    this.#gate.ring();
    this.#set("ok");
  }

  /** Some records were settled. */
  progress(): void {
    this.lastProgress = this.#clock.now();
  }

  /** The destination answered, but wants fewer or slower requests, or is not there. Returns the delay. */
  failed(pass: Pass, state: "degraded" | "blocked", reason: string, pauseMs?: number): number {
    const delay = this.#failed(pass.epoch, state, reason, pauseMs);
    this.left(pass);
    return delay;
  }

  #failed(epoch: number, state: "degraded" | "blocked", reason: string, pauseMs = 0): number {
    const now = this.#clock.monotonic();
    // Several attempts under way at once fail together: that is one failure, not a delay doubled so many times.
    if (epoch === this.#epoch) {
      this.#epoch++;
      this.#resumeAt = Math.max(this.#resumeAt, now + this.#backoff.next(pauseMs));
    } else this.pause(pauseMs);
    this.#set(state, reason);
    return Math.max(0, this.#resumeAt - now);
  }

  /** Something other than the destination fails (the queue's disk, a bug in the output): says so, and waits as after any failure. */
  async stumble(reason: string, signal: AbortSignal): Promise<void> {
    this.#failed(this.#epoch, "degraded", reason);
    await this.#rest(signal);
  }

  /** A pause asked for, perhaps along with success. */
  pause(ms: number): void {
    const until = this.#clock.monotonic() + (ms > 0 ? Math.min(ms, LONGEST_PAUSE_MS) : 0);
    this.#resumeAt = Math.max(this.#resumeAt, until);
  }

  /** An attempt ended without saying anything of the destination (it was aborted). */
  left(pass: Pass): void {
    this.#active--;
    if (pass.probe) this.#endProbe();
    else if (this.#held) this.#gate.ring();
  }

  #endProbe(): void {
    this.#probing = false;
    this.#gate.ring();
  }

  stopped(): void {
    this.#set("stopped");
  }

  #set(state: ComponentState, reason?: string): void {
    const before = this.#own;
    if (before.state === "stopped" || (before.state === state && before.reason === reason)) return;
    this.#own = { state, since: before.state === state ? before.since : this.#clock.now(), reason };
    if (!this.#held || state === "stopped") this.#tell();
  }

  #tell(): void {
    const { state, reason } = this;
    this.#emit({
      is: "component",
      kind: "output",
      name: this.#alias,
      state,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
