/** The only way to the time: tests inject their own. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For stamps only. */
  now(): number;
  /** Milliseconds that only grow. For durations. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
