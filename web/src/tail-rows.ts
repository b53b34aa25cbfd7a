/** What the tail keeps: the newest entries, and how many it had to leave out. */
import type { EntryView } from "../../agent/api/operate.ts";

export interface TailRow {
  /** Counts up with each entry. */
  readonly key: number;
  readonly entry: EntryView;
}

export interface TailFilter {
  readonly level: string;
  readonly event: string;
  readonly actor: string;
  readonly text: string;
}

export const KEPT_ROWS = 500;

/** Newest first. What has come since the last look is kept in `waiting` until it is taken: a row at a time would be drawn a thousand times. */
export class TailRows {
  #next = 0;
  #waiting: TailRow[] = [];
  #skipped = 0;
  rows: readonly TailRow[] = [];
  /** Matched, but there were too many of them in a second. */
  skipped = 0;

  add(entry: EntryView): void {
    this.#waiting.push({ key: this.#next++, entry });
    // Only the newest could be seen anyway.
    if (this.#waiting.length > KEPT_ROWS) this.#waiting.shift();
  }

  skip(entries: number): void {
    this.#skipped += entries;
  }

  /** Whether there was anything new. */
  take(): boolean {
    if (this.#waiting.length === 0 && this.#skipped === 0) return false;
    this.rows = [...this.#waiting.reverse(), ...this.rows].slice(0, KEPT_ROWS);
    this.skipped += this.#skipped;
    this.#waiting = [];
    this.#skipped = 0;
    return true;
  }

  clear(): void {
    this.#waiting = [];
    this.#skipped = 0;
    this.rows = [];
    this.skipped = 0;
  }
}

export function tailPath(filter: TailFilter): string {
  const query = new URLSearchParams({ entries: "1" });
  for (const [name, value] of Object.entries(filter)) if (value !== "") query.set(name, value);
  return `events?${query}`;
}
