import { within } from "./waiting.ts";

/** Inputs and outputs that do not close in time are left behind: the process must end. */
const CLOSE_MS = 10_000;

/** What must be closed, in order: parts before the things they stand on. Each is closed even where another's closing fails. */
export class Shutdown {
  readonly #first: (() => Promise<void>)[] = [];
  readonly #last: (() => Promise<void>)[] = [];

  /** Closed at once with the others of its kind, before any of the `last`. */
  first(close: () => Promise<void>): void {
    this.#first.push(close);
  }

  /** Closed one by one, the newest first. */
  last(close: () => Promise<void>): void {
    this.#last.push(close);
  }

  async run(): Promise<void> {
    const failures: unknown[] = [];
    const results = await Promise.allSettled(
      this.#first.splice(0).map((close) => within("closing", CLOSE_MS, async () => close())),
    );
    for (const result of results) if (result.status === "rejected") failures.push(result.reason);
    for (const close of this.#last.splice(0).reverse()) {
      await close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) {
      const reasons = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
      throw new AggregateError(failures, `closing failed: ${reasons.join("; ")}`);
    }
  }
}
