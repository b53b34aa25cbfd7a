/** Holds back repeated complaints: of the same key one line a window is written, the others are counted. */
interface Window<T> {
  /** Monotonic milliseconds. */
  readonly opened: number;
  suppressed: number;
  /** The last one held back. */
  last: T | undefined;
}

const WINDOW_MS = 60_000;
/** More different complaints than this at once: the oldest are forgotten (and may be written again). */
const MAX_KEYS = 1000;

export class Limiter<T> {
  readonly #windows = new Map<string, Window<T>>();

  /** How many of this key were held back since the last written one; undefined where this one is to be held back too. */
  pass(key: string, item: T, now: number): number | undefined {
    const known = this.#windows.get(key);
    if (known && now - known.opened < WINDOW_MS) {
      known.suppressed++;
      known.last = item;
      return undefined;
    }
    this.#windows.delete(key);
    if (this.#windows.size >= MAX_KEYS) this.#windows.delete(this.#windows.keys().next().value!);
    this.#windows.set(key, { opened: now, suppressed: 0, last: undefined });
    return known?.suppressed ?? 0;
  }

  /** Milliseconds until `drain` has something to tell; undefined where nothing was held back. */
  due(now: number): number | undefined {
    let earliest: number | undefined;
    for (const { opened, suppressed } of this.#windows.values()) {
      if (suppressed > 0) earliest = Math.min(earliest ?? Number.POSITIVE_INFINITY, opened);
    }
    return earliest === undefined ? undefined : Math.max(0, earliest + WINDOW_MS - now);
  }

  /** Forgets the keys whose window has passed (all, with `now` = Infinity); answers what was held back of them, the last of each. */
  drain(now: number): { item: T; suppressed: number }[] {
    const told: { item: T; suppressed: number }[] = [];
    for (const [key, { opened, suppressed, last }] of this.#windows) {
      if (now - opened < WINDOW_MS) continue;
      this.#windows.delete(key);
      if (last !== undefined) told.push({ item: last, suppressed });
    }
    return told;
  }
}
