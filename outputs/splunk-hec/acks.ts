/**
 * Indexer acknowledgement: what was taken is asked for until it is indexed.
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/http-event-collector-indexer-acknowledgment
 */
import { setTimeout as delay } from "node:timers/promises";

export interface AckOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Asks an endpoint; answers the ids that are acknowledged. */
  readonly ask: (endpoint: string, ids: readonly number[], signal: AbortSignal) => Promise<readonly number[]>;
}

interface Waiting {
  readonly endpoint: string;
  readonly id: number;
  readonly resolve: () => void;
}

/** The first question comes soon: a quick indexer has an answer before the interval is over. */
const FIRST_MS = 50;

export class Acknowledgements {
  readonly #options: AckOptions;
  readonly #waiting = new Set<Waiting>();
  readonly #closed = new AbortController();
  #asking: Promise<void> | undefined;
  #next = 0;

  constructor(options: AckOptions) {
    this.#options = options;
  }

  /** Resolves when it is acknowledged; throws when that takes too long, or the signal aborts. */
  async wait(endpoint: string, id: number, signal: AbortSignal): Promise<void> {
    const { timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { endpoint, id, resolve };
    const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    const timer = setTimeout(
      () => reject(new Error(`not acknowledged within ${timeoutMs} ms; it is sent again`)),
      timeoutMs,
    );
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#waiting.add(waiting);
    this.#next = Math.min(this.#next, FIRST_MS);
    this.#start();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      this.#waiting.delete(waiting);
      if (this.#waiting.size === 0) this.#closed.signal.dispatchEvent(new Event("idle"));
    }
  }

  close(): void {
    this.#closed.abort();
  }

  #start(): void {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
      if (this.#waiting.size > 0 && !this.#closed.signal.aborted) this.#start();
    });
  }

  /** One loop for all that wait. A question that fails is asked again; who waits too long gives up by itself. */
  async #ask(): Promise<void> {
    const { intervalMs, ask } = this.#options;
    const { signal } = this.#closed;
    for (
      this.#next = FIRST_MS;
      this.#waiting.size > 0 && !signal.aborted;
      this.#next = Math.min(intervalMs, this.#next * 2)
    ) {
      await this.#pause(this.#next);
      const byEndpoint = Map.groupBy(this.#waiting, ({ endpoint }) => endpoint);
      await Promise.all(
        [...byEndpoint].map(async ([endpoint, waiting]) => {
          const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeoutMs)]);
          const done: readonly number[] = await ask(endpoint, [...new Set(waiting.map(({ id }) => id))], limit).catch(
            () => [],
          );
          for (const one of waiting) if (done.includes(one.id)) one.resolve();
        }),
      );
    }
  }

  /** Until the next question, or until nobody waits any more. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#closed;
    const either = new AbortController();
    const wake = () => either.abort();
    signal.addEventListener("abort", wake, { once: true });
    signal.addEventListener("idle", wake, { once: true });
    if (signal.aborted || this.#waiting.size === 0) wake();
    await delay(ms, undefined, { signal: either.signal }).catch(() => undefined);
    signal.removeEventListener("abort", wake);
    signal.removeEventListener("idle", wake);
  }
}
