/** What happens when the disk refuses: said once per episode, room made, waited, tried again. */
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import { errorCode, messageOf } from "../state/disk.ts";
import type { Reserve } from "../state/reserve.ts";
import { pause } from "./pause.ts";

const RETRY_MS = 500;

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
