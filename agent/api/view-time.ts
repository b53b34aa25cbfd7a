/** Times as writers write them, read from the bytes. */
import { viewOf } from "../json/lexer.ts";

export const TimeKind = {
  /** No field, or null. */
  none: 0,
  /** A point in time. */
  exact: 1,
  /** A date and time of day without a zone: `ms` is right only if it was UTC. Never guessed here. */
  noZone: 2,
  /** A value that is no time. */
  invalid: 3,
} as const;

export class EntryTime {
  /** A value of `TimeKind`. */
  kind: number = TimeKind.none;
  /** Milliseconds since the epoch, whole. */
  ms = 0;
  /** What is below the millisecond: 0 to 999,999. */
  nanos = 0;
  /** Minutes east of UTC, as written; 0 for `Z` and for numbers. */
  offset = 0;
  /**
   * Written as `YYYY-MM-DDTHH:MM:SS[.f](Z|±HH:MM)`, with capitals, at most nine digits, an offset below 18 hours, and no leap second: what
   * every reader takes, and none for another time.
   */
  strict = false;
  /** Span of the value it was read from; 0 and 0 without one. */
  start = 0;
  end = 0;
}

const DAY = 86_400_000;
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** The last date: log lines share theirs. */
let lastDate = -1;
let lastDateMs = 0;

/** Milliseconds of midnight UTC; -Infinity for a date that is none. Proleptic Gregorian, years 0 to 9999. */
function dateMs(year: number, month: number, day: number): number {
  const date = year * 10_000 + month * 100 + day;
  if (date === lastDate) return lastDateMs;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (month < 1 || month > 12 || day < 1 || day > DAYS_IN_MONTH[month - 1]!) return -Infinity;
  if (month === 2 && day === 29 && !leap) return -Infinity;
  // Date.UTC takes years below 100 for 19xx; 400 years are 146,097 days.
  lastDateMs = Date.UTC(year + 400, month - 1, day) - 146_097 * DAY;
  lastDate = date;
  return lastDateMs;
}

/** Two digits; a large negative number where one is none, so that no sum with it can pass a range check from 0. */
function two(bytes: Uint8Array, p: number): number {
  const tens = bytes[p]! - 0x30;
  const ones = bytes[p + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1e6;
}

/** The last minute that was one, and its text (`YYYY-MM-DDTHH:MM`) in words: log lines share theirs. */
const minuteText = [0, 0, 0, 0];
let minuteMs = -Infinity;

/** Milliseconds at the minute whose text begins at `start`, were it in UTC; -Infinity for one that is none. */
function readMinute(bytes: Uint8Array, view: DataView, start: number): number {
  const hour = two(bytes, start + 11);
  const minute = two(bytes, start + 14);
  const year = two(bytes, start) * 100 + two(bytes, start + 2);
  const month = two(bytes, start + 5);
  const day = two(bytes, start + 8);
  const between = bytes[start + 10]!;
  const shaped =
    bytes[start + 4] === 0x2d &&
    bytes[start + 7] === 0x2d &&
    (between === 0x54 || between === 0x20 || between === 0x74) &&
    bytes[start + 13] === 0x3a;
  if (!shaped || year < 0 || month < 0 || day < 0) return -Infinity;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return -Infinity;
  const date = dateMs(year, month, day);
  if (date === -Infinity) return date;
  for (let i = 0; i < 4; i++) minuteText[i] = view.getInt32(start + 4 * i, true);
  minuteMs = date + hour * 3_600_000 + minute * 60_000;
  return minuteMs;
}

/**
 * Reads `YYYY-MM-DDTHH:MM:SS[.f…][Z|±HH:MM|±HHMM|±HH]`, also with a space for the T and before the zone, and a comma for the point.
 * 1 to 9 fraction digits are kept, more are cut. 23:59:60 UTC is the next second. `start` to `end` is without quotes. Fills `time`,
 * answers its kind.
 */
export function parseTime(bytes: Uint8Array, start: number, end: number, time: EntryTime): number {
  time.kind = TimeKind.invalid;
  time.strict = false;
  if (end - start < 19) return time.kind;
  const view = viewOf(bytes);
  const same =
    view.getInt32(start, true) === minuteText[0] &&
    view.getInt32(start + 4, true) === minuteText[1] &&
    view.getInt32(start + 8, true) === minuteText[2] &&
    view.getInt32(start + 12, true) === minuteText[3];
  const minute = same ? minuteMs : readMinute(bytes, view, start);
  const second = two(bytes, start + 17);
  if (minute === -Infinity || bytes[start + 16] !== 0x3a || second < 0 || second > 60) return time.kind;
  const p = readFraction(bytes, start + 19, end, time);
  if (p < 0) return time.kind;
  const zone = readZone(bytes, p, end, time);
  if (zone === TimeKind.invalid) return time.kind;
  const ms = minute - time.offset * 60_000;
  // A leap second ends a UTC day, whatever the hour in its zone.
  if (second === 60 && (ms + 60_000) % DAY !== 0) return time.kind;
  time.ms += ms + second * 1000;
  time.kind = zone;
  time.strict =
    second < 60 &&
    bytes[start + 10] === 0x54 &&
    (p === start + 19 || (bytes[start + 19] === 0x2e && p <= start + 29)) &&
    ((p === end - 1 && bytes[p] === 0x5a) ||
      (p === end - 6 && bytes[p] !== 0x20 && time.offset > -18 * 60 && time.offset < 18 * 60));
  return zone;
}

/** What a fraction of so many digits is to be multiplied with, to be one of three, or of six. */
const SCALE = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1] as const;

/** Sets `ms` (0 to 999) and `nanos`; answers the position behind, -1 where a point has no digits. */
function readFraction(bytes: Uint8Array, from: number, end: number, time: EntryTime): number {
  time.ms = 0;
  time.nanos = 0;
  let p = from | 0;
  if (p >= end || (bytes[p] !== 0x2e && bytes[p] !== 0x2c)) return p;
  let ms = 0;
  let nanos = 0;
  let digits = 0;
  for (p = (p + 1) | 0; p < end; p = (p + 1) | 0) {
    const digit = (bytes[p]! - 0x30) | 0;
    if (digit < 0 || digit > 9) break;
    if (digits < 3) ms = (ms * 10 + digit) | 0;
    else if (digits < 9) nanos = (nanos * 10 + digit) | 0;
    digits = (digits + 1) | 0;
  }
  if (digits === 0) return -1;
  time.ms = digits < 3 ? ms * SCALE[digits + 3]! : ms;
  time.nanos = digits < 9 && digits > 3 ? nanos * SCALE[digits - 3]! : nanos;
  return p;
}

/** Sets `offset`. */
function readZone(bytes: Uint8Array, from: number, end: number, time: EntryTime): number {
  time.offset = 0;
  if (from === end) return TimeKind.noZone;
  const p = bytes[from] === 0x20 ? from + 1 : from;
  const sign = bytes[p];
  if (sign === 0x5a || sign === 0x7a) return p + 1 === end ? TimeKind.exact : TimeKind.invalid;
  if (sign !== 0x2b && sign !== 0x2d) return TimeKind.invalid;
  const left = end - p;
  const colon = left === 6 && bytes[p + 3] === 0x3a;
  if (left !== 3 && left !== 5 && !colon) return TimeKind.invalid;
  const hours = two(bytes, p + 1);
  const minutes = left === 3 ? 0 : two(bytes, colon ? p + 4 : p + 3);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return TimeKind.invalid;
  const offset = hours * 60 + minutes;
  time.offset = sign === 0x2d && offset !== 0 ? -offset : offset;
  return TimeKind.exact;
}

/**
 * A number since the epoch, of the unit its size tells: seconds (from 1973) below 1e11, then milliseconds, microseconds, nanoseconds.
 * Smaller ones are taken for counters, not times. `text` is a JSON number.
 */
export function parseEpoch(text: string, time: EntryTime): number {
  time.kind = TimeKind.invalid;
  time.strict = false;
  time.offset = 0;
  const [, whole, fraction = ""] = /^(\d{1,20})(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) {
    // With an exponent; as exact as a double is.
    const value = Number(text);
    return /[eE]/.test(text) && value >= 1e8 && value < 1e20 ? parseEpoch(value.toFixed(6), time) : time.kind;
  }
  const value = Number(whole);
  if (value < 1e8 || value >= 1e20) return time.kind;
  // Digits of the fraction of a second that the whole part already has.
  const scale = value < 1e11 ? 0 : value < 1e14 ? 3 : value < 1e17 ? 6 : 9;
  const digits = (whole + fraction).padEnd(whole.length + 9, "0");
  const point = whole.length - scale;
  time.ms = Number(digits.slice(0, point + 3));
  time.nanos = Number(digits.slice(point + 3, point + 9));
  time.kind = TimeKind.exact;
  return time.kind;
}
