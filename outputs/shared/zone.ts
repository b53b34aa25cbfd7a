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
      const parts = Object.fromEntries(format.formatToParts(from).map(({ type, value }) => [type, value]));
      const [year, month, day, hour, minute, second] = ["year", "month", "day", "hour", "minute", "second"].map((p) =>
        Number(parts[p]),
      ) as [number, number, number, number, number, number];
      offset = Date.UTC(year, month - 1, day, hour, minute, second) - from;
    }
    return ms + offset;
  };
}
