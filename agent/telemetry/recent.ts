import type { LogView } from "../api/operate.ts";

const KEPT = 200;
/** A server's answer may be long; what the log has whole is told cut. */
const MAX_MESSAGE = 2000;

/** The last lines of the agent's own log, and whoever wants to know of the next. */
export class Recent {
  readonly #lines: LogView[] = [];
  readonly #listeners = new Set<(line: LogView) => void>();

  add(line: LogView): void {
    const { message } = line;
    const kept = message.length > MAX_MESSAGE ? { ...line, message: `${message.slice(0, MAX_MESSAGE)}…` } : line;
    this.#lines.push(kept);
    if (this.#lines.length > KEPT) this.#lines.shift();
    for (const listener of this.#listeners) {
      // A page that went away is no reason to stop shipping, nor to log, which would come here again.
      try {
        listener(kept);
      } catch {
        this.#listeners.delete(listener);
      }
    }
  }

  /** Oldest first. */
  lines(): LogView[] {
    return [...this.#lines];
  }

  subscribe(listener: (line: LogView) => void): () => void {
    const own = (line: LogView) => listener(line);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}
