/**
 * `@timestamp` as Elasticsearch's date_nanos takes it. The entry's own text is kept where it can be, with all its digits and its
 * offset; anything else is written anew from the milliseconds.
 */

import type { EntryTime } from "../../agent/api/view.ts";

/** The last millisecond that fits 64 bits of nanoseconds: 2262-04-11. Elasticsearch refuses what date_nanos cannot hold. */
export const LAST_NANOS_MS = 9_223_372_036_854;

/** Whether date_nanos can hold it; false for NaN. */
export function fitsNanos(ms: number): boolean {
  return ms >= 0 && ms < LAST_NANOS_MS;
}

/**
 * Copies the time as the entry has it, which must be strict: that is a subset of `strict_date_optional_time_nanos` that leaves nothing to
 * interpretation (Java knows offsets up to 18 hours, and no leap seconds). Returns where it ends.
 */
export function copyTime(from: DataView, { start, end }: EntryTime, to: DataView, at: number): number {
  // Four bytes at once, the last ones twice: a native copy of so few costs more.
  const shift = (at - start - 1) | 0;
  const last = (end - 5) | 0;
  for (let p = (start + 1) | 0; p < last; p = (p + 4) | 0) to.setInt32(p + shift, from.getInt32(p));
  to.setInt32(last + shift, from.getInt32(last));
  return last + shift + 4;
}

/** `2026-02-01T09:00:17.123Z`, with nine digits where there are nanoseconds below the millisecond. */
export function writeTime(ms: number, nanos: number, to: Buffer, at: number): number {
  const text = new Date(ms).toISOString();
  const whole = nanos === 0 ? text : `${text.slice(0, -1)}${String(nanos).padStart(6, "0")}Z`;
  return at + to.write(whole, at, "latin1");
}
