/** One at a time, first come first served. */
export class Mutex {
  #held = false;
  readonly #queue: (() => void)[] = [];

  lock(): Promise<void> | void {
    if (!this.#held) {
      this.#held = true;
      return;
    }
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  unlock(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#held = false;
  }

  /** Lets others have it meanwhile. */
  async without(action: () => Promise<void>): Promise<void> {
    this.unlock();
    try {
      await action();
    } finally {
      await this.lock();
    }
  }
}
