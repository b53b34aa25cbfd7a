/** What happens when the disk refuses: said once per episode, room made, waited, tried again. */
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import { errorCode, messageOf } from "../state/disk.ts";
import type { Reserve } from "../state/reserve.ts";
import { pause } from "./pause.ts";

const RETRY_MS = 500;
/** A disk that takes so long for one call is worth a line: everything waits for it, and nothing else would say why. */
const SLOW_MS = 5_000;

export interface DiskWaitOptions {
  readonly reserve?: Pick<Reserve, "release" | "restore"> | undefined;
  readonly retryMs?: number | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
}

export class Diskwait {
  readonly #options: DiskWaitOptions;
  readonly #closing = new AbortController();
  #since: number | undefined;
  #why = "";
  #gaveReserve = false;

  constructor(options: DiskWaitOptions) {
    this.#options = options;
  }

  get blocked(): { since: number; why: string } | undefined {
    return this.#since === undefined ? undefined : { since: this.#since, why: this.#why };
  }

  /** Resolves when it is worth trying again. Anything but a refusal of the disk is thrown on: a bug must not look like a full disk. */
  async failed(error: unknown, path: string, how: { wait: boolean } = { wait: true }): Promise<void> {
    const code = errorCode(error);
    if (code === undefined) throw error;
    this.#why = messageOf(error);
    if (this.#since === undefined) {
      this.#since = this.#options.clock.monotonic();
      this.#options.emit({ is: "disk_error", path, code, reason: this.#why });
    }
    const full = code === "ENOSPC" || code === "EDQUOT";
    if (full && !this.#gaveReserve && this.#options.reserve) {
      this.#gaveReserve = true;
      if (await this.#options.reserve.release().catch(() => false)) return;
    }
    if (how.wait) await pause(this.#options.retryMs ?? RETRY_MS, this.#closing.signal);
  }

  /** Says so once where `what` takes very long, and again when it is over. */
  watch(what: string, path: string): { end(): void } {
    const { clock, emit } = this.#options;
    const from = clock.monotonic();
    const say = (message: string) => emit({ is: "notice", level: "warn", component: "queue", message });
    const timer = setTimeout(
      () => say(`the disk is slow: ${what} in ${path} has taken ${SLOW_MS / 1000} s so far`),
      SLOW_MS,
    );
    timer.unref();
    return {
      end() {
        clearTimeout(timer);
        const ms = Math.round(clock.monotonic() - from);
        if (ms >= SLOW_MS) say(`the disk was slow: ${what} in ${path} took ${ms} ms`);
      },
    };
  }

  /** A write went well. */
  recovered(): void {
    if (this.#since === undefined) return;
    const ms = Math.round(this.#options.clock.monotonic() - this.#since);
    this.#since = undefined;
    this.#options.emit({
      is: "notice",
      level: "info",
      component: "queue",
      message: `the disk takes writes again after ${ms} ms`,
    });
    void this.restoreReserve();
  }

  /** Takes the reserve back once there is room again; cheap enough to be called at every turnover. */
  async restoreReserve(): Promise<void> {
    if (!this.#gaveReserve) return;
    if (await this.#options.reserve?.restore().catch(() => false)) this.#gaveReserve = false;
  }

  close(): void {
    this.#closing.abort();
  }
}
