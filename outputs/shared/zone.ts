/** Times of a named zone, for names of files and objects. */

/** Offsets change at full quarters of an hour only. */
const QUARTER = 15 * 60_000;

/** Whether the runtime knows the zone (IANA's names, such as Europe/Berlin, and UTC). */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds that, read as UTC, show the zone's clock. Remembers the last offset, so asking for every record is cheap. */
export function zonedClock(zone: string): (ms: number) => number {
  if (zone === "UTC") return (ms) => ms;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    era: "short",
  });
  let from = Number.NaN;
  let offset = 0;
  return (ms) => {
    if (!(ms >= from && ms < from + QUARTER)) {
      from = Math.floor(ms / QUARTER) * QUARTER;
      offset = shownAt(format, from) - from;
    }
    return ms + offset;
  };
}

/** What the clock shows at a time, as the milliseconds that show the same in UTC. */
function shownAt(format: Intl.DateTimeFormat, ms: number): number {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
  const year = parts.era === "BC" ? 1 - Number(parts.year) : Number(parts.year);
  // Not `Date.UTC`, which takes years below 100 for 19xx: the zero time of some languages is in the year 1.
  const date = new Date(0);
  date.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
  return date.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
}
