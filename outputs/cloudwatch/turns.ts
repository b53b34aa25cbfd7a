/** One after the other for each key; different keys side by side. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Waits for those before it, but no longer than until the signal aborts. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = Promise.withResolvers<void>();
    // An abort ends this one's waiting; those behind it still wait for the ones before.
    const done = Promise.all([before, mine.promise]);
    this.#last.set(key, done);
    try {
      if (before !== undefined) await unlessAborted(before, signal);
      signal.throwIfAborted();
      return await work();
    } finally {
      mine.resolve();
      void done.then(() => {
        if (this.#last.get(key) === done) this.#last.delete(key);
      });
    }
  }
}

async function unlessAborted(waited: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.resolve();
  if (signal.aborted) return;
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([waited, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
