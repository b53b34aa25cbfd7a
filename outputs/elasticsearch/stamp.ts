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

/** Writes the time as the entry has it, where that is strict enough, else anew; returns where it ends. */
export function copyTime(buffer: Buffer, time: EntryTime, to: Buffer, at: number): number {
  const { start, end, ms, nanos } = time;
  if (buffer[start] !== QUOTE || !isStrictStamp(buffer, start + 1, end - 1)) return writeTime(ms, nanos, to, at);
  // By hand: a native copy of so few bytes costs more.
  for (let from = start + 1; from < end - 1; from++) to[at++] = buffer[from]!;
  return at;
}

/** `2026-02-01T09:00:17.123Z`, with nine digits where there are nanoseconds below the millisecond. */
export function writeTime(ms: number, nanos: number, to: Buffer, at: number): number {
  const text = new Date(ms).toISOString();
  const whole = nanos === 0 ? text : `${text.slice(0, -1)}${String(nanos).padStart(6, "0")}Z`;
  return at + to.write(whole, at, "latin1");
}

const QUOTE = 0x22;

/** Makes every number that it is part of negative: integers stay integers, which NaN would not. */
const NO_DIGIT = -10_000;

const digit = (buffer: Buffer, at: number) => {
  const value = buffer[at]! - 0x30;
  return value >= 0 && value <= 9 ? value : NO_DIGIT;
};
/** Negative where it is no number of two digits. */
const two = (buffer: Buffer, at: number) => digit(buffer, at) * 10 + digit(buffer, at + 1);
/** A number of two digits up to `most`. */
const upTo = (buffer: Buffer, at: number, most: number) => {
  const value = two(buffer, at);
  return value >= 0 && value <= most;
};

/**
 * True where `buffer[start..end)` is `YYYY-MM-DDTHH:MM:SS[.f…](Z|±HH:MM)` with 1 to 9 digits of fraction and a real date: a subset of
 * `strict_date_optional_time_nanos` that leaves nothing to interpretation.
 */
export function isStrictStamp(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < 20 || end - start > 35) return false;
  if (buffer[start + 4] !== 0x2d || buffer[start + 7] !== 0x2d || buffer[start + 10] !== 0x54) return false;
  if (buffer[start + 13] !== 0x3a || buffer[start + 16] !== 0x3a) return false;
  const century = two(buffer, start);
  const year = century < 0 ? century : century * 100 + two(buffer, start + 2);
  if (year < 0) return false;
  const month = two(buffer, start + 5);
  const day = two(buffer, start + 8);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month))) return false;
  if (!(upTo(buffer, start + 11, 23) && upTo(buffer, start + 14, 59) && upTo(buffer, start + 17, 59))) return false;
  let at = start + 19;
  if (buffer[at] === 0x2e) {
    const first = ++at;
    while (at < end && digit(buffer, at) >= 0) at++;
    if (at === first || at > first + 9) return false;
  }
  if (at === end - 1) return buffer[at] === 0x5a;
  if (at !== end - 6 || (buffer[at] !== 0x2b && buffer[at] !== 0x2d) || buffer[at + 3] !== 0x3a) return false;
  // Java knows offsets up to 18 hours, and 18:00 exactly.
  return upTo(buffer, at + 1, 17) && upTo(buffer, at + 4, 59);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
