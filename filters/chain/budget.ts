/** So many breaks of all groups are looked into deeply within a minute. */
const LOOKS = 200;
const MINUTE_MS = 60_000;

/**
 * What takes long (files that are read, a thousand hashes that are tried) is done for so many breaks and no more: who can write the log
 * must not be able to take all of the agent's time.
 */
export class Budget {
  #left = LOOKS;
  #since = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds since the epoch. */
  take(now: number): boolean {
    if (Math.abs(now - this.#since) >= MINUTE_MS) {
      this.#since = now;
      this.#left = LOOKS;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
