/**
 * Exponential delay with full jitter (as AWS's "Exponential Backoff And Jitter"), capped; what the destination asks for wins where it is
 * longer. One per lane: after an outage a lane sends one probe batch, not a storm.
 */
export interface BackoffOptions {
  readonly initial: number;
  readonly max: number;
}

/** The longest pause a destination may ask for: a lying `Retry-After: 999999999` must not park a lane for years. */
export const LONGEST_PAUSE_MS = 3_600_000;

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  /** Failures since the last success. */
  failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Counts a failure and returns how long to wait, in milliseconds. */
  next(pauseMs = 0): number {
    const ceiling = Math.min(this.#options.max, this.#options.initial * 2 ** Math.min(this.failures, 30));
    this.failures++;
    // A floor of a tenth: full jitter may draw 0, and a refused connection would be tried again at once.
    const delay = Math.max(ceiling / 10, this.#random() * ceiling);
    return pauseMs > delay ? Math.min(pauseMs, LONGEST_PAUSE_MS) : delay;
  }

  reset(): void {
    this.failures = 0;
  }
}
