/**
 * Indexer acknowledgement: what was taken is asked for until it is indexed.
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/about-http-event-collector-indexer-acknowledgment
 *
 * An id means something only to the collector that gave it, for the channel it gave it for: they count up from 0, and begin anew when the
 * collector restarts, where an earlier id's entries may be gone. So ids that come again are no acknowledgements of the old entries.
 */
import { setTimeout as delay } from "node:timers/promises";

/** The way back to the collector that gave an id. */
export interface Way {
  readonly endpoint: string;
  readonly channel: string;
  /** What a load balancer with sticky sessions wants to see again, to find the same collector. */
  readonly cookie: string | undefined;
}

export interface AckOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Answers the ids that are acknowledged; throws where there is no such answer. */
  readonly ask: (way: Way, ids: readonly number[], signal: AbortSignal) => Promise<readonly number[]>;
  /** The collector may have forgotten what it gave ids for in this channel. */
  readonly onDoubt: (channel: string) => void;
}

interface Waiting {
  readonly heard: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Ids that are asked for together. */
interface Line {
  readonly way: Way;
  readonly waiting: Map<number, Waiting>;
  /** Aborted when nobody waits any more. */
  readonly idle: AbortController;
  /** Until the next question, in milliseconds. */
  pauseMs: number;
  /** Why the last question had no answer. */
  trouble: string | undefined;
}

/** The first question comes soon: a quick indexer has an answer before the interval is over. */
const FIRST_MS = 50;
/** One question may take so long; then it is asked again, perhaps on a connection that does not hang. */
const QUESTION_MS = 10_000;

const BEGUN_ANEW =
  "the collector began to count acknowledgements anew: it restarted, or there are several behind one address without sticky sessions";

export class Acknowledgements {
  readonly #options: AckOptions;
  readonly #lines = new Map<string, Line>();
  readonly #closed = new AbortController();
  /** Counts the ids heard of. */
  #heard = 0;

  constructor(options: AckOptions) {
    this.#options = options;
  }

  /** To be asked for before entries are sent, and given to `wait`. */
  get heard(): number {
    return this.#heard;
  }

  /** Resolves when it is acknowledged; throws when that takes too long, when it cannot be told any more, or when the signal aborts. */
  async wait(way: Way, id: number, heardBefore: number, signal: AbortSignal): Promise<void> {
    const line = this.#line(way);
    // Ids of requests under way at once may come in any order; one sent after another's id was heard must have a higher one.
    const begunAnew = [...line.waiting].some(
      ([older, { heard }]) => older === id || (older > id && heard <= heardBefore),
    );
    if (begunAnew) {
      const error = new Error(BEGUN_ANEW);
      for (const { reject } of line.waiting.values()) reject(error);
      this.#options.onDoubt(way.channel);
      throw error;
    }
    const { timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    const timer = setTimeout(() => {
      const why = line.trouble === undefined ? "" : ` (${line.trouble})`;
      reject(new Error(`not acknowledged within ${timeoutMs} ms${why}; it is sent again`));
    }, timeoutMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    line.waiting.set(id, { heard: ++this.#heard, resolve, reject });
    line.pauseMs = Math.min(line.pauseMs, FIRST_MS);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      line.waiting.delete(id);
      if (line.waiting.size === 0) this.#end(line);
    }
  }

  close(): void {
    this.#closed.abort();
    for (const line of this.#lines.values()) this.#end(line);
  }

  #line(way: Way): Line {
    const key = keyOf(way);
    const known = this.#lines.get(key);
    if (known) return known;
    const idle = new AbortController();
    const line: Line = { way, waiting: new Map(), idle, pauseMs: FIRST_MS, trouble: undefined };
    this.#lines.set(key, line);
    void this.#ask(line);
    return line;
  }

  #end(line: Line): void {
    line.idle.abort();
    const key = keyOf(line.way);
    if (this.#lines.get(key) === line) this.#lines.delete(key);
  }

  /** One loop for all that wait on a way; one that hangs holds up no other. Who waits too long gives up by itself. */
  async #ask(line: Line): Promise<void> {
    const { intervalMs, timeoutMs, ask, onDoubt } = this.#options;
    const { way, waiting, idle } = line;
    while (!idle.signal.aborted && !this.#closed.signal.aborted) {
      await delay(line.pauseMs, undefined, { signal: idle.signal }).catch(() => undefined);
      if (waiting.size === 0) continue;
      line.pauseMs = Math.min(intervalMs, line.pauseMs * 2);
      const limit = AbortSignal.timeout(Math.min(timeoutMs, QUESTION_MS));
      try {
        const done = await ask(way, [...waiting.keys()], AbortSignal.any([idle.signal, limit]));
        line.trouble = undefined;
        for (const id of done) waiting.get(id)?.resolve();
      } catch (error) {
        line.trouble = error instanceof Error ? error.message : String(error);
        if (!idle.signal.aborted) onDoubt(way.channel);
      }
    }
  }
}

function keyOf({ endpoint, channel, cookie }: Way): string {
  return JSON.stringify([endpoint, channel, cookie]);
}
