import { pause } from "../queue/pause.ts";

/** Node's timers take at most this much; beyond it they fire at once. Milliseconds. */
export const LONGEST_TIMER_MS = 2_147_483_647;

/** Wakes everybody who waits, each once. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next ring, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** Resolves when the condition holds (looked at after each ring), or when one of the signals aborts; `stop` rings when it does. */
  async until(condition: () => boolean, signal: AbortSignal, stop: AbortSignal): Promise<void> {
    while (!condition() && !signal.aborted && !stop.aborted) await this.wait(signal);
  }
}

/** Resolves after about so many milliseconds (never more than a timer can hold), or when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return pause(Math.max(0, Math.min(ms, LONGEST_TIMER_MS)), signal);
}

/** A signal that aborts with the given one or after the time-out; `end` frees the timer. */
export function limited(
  outer: AbortSignal,
  timeoutMs: number,
): { signal: AbortSignal; timedOut: () => boolean; end: () => void } {
  const controller = new AbortController();
  let late = false;
  const expire = () => {
    late = true;
    controller.abort(new Error(`no answer within ${timeoutMs} ms`));
  };
  const timer = setTimeout(expire, Math.min(timeoutMs, LONGEST_TIMER_MS));
  const stop = () => controller.abort(new Error("stopped"));
  if (outer.aborted) stop();
  outer.addEventListener("abort", stop, { once: true });
  return {
    signal: controller.signal,
    timedOut: () => late,
    end: () => {
      clearTimeout(timer);
      outer.removeEventListener("abort", stop);
    },
  };
}

/**
 * `promise`, or a rejection once the signal aborts: who ignores its signal must not hold the lane. `abandoned` is told of a promise that
 * nobody waits for any more.
 */
export function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  abandoned?: (promise: Promise<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      abandoned?.(promise);
      reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** What `work` resolves to; rejects where it takes longer. */
export async function within<T>(what: string, ms: number, work: () => Promise<T>): Promise<T> {
  const limit = limited(new AbortController().signal, ms);
  try {
    return await orAbort(work(), limit.signal);
  } catch (error) {
    throw limit.timedOut() ? new Error(`${what} took more than ${ms} ms`) : error;
  } finally {
    limit.end();
  }
}
