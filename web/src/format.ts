/** Numbers, sizes, spans and times as people read them. Sizes are powers of 1000, as in the configuration. */
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(n: number): string {
  return whole.format(n);
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export const entries = (n: number): string => plural(n, "entry", "entries");

const SCALES = ["", "k", "M", "G", "T"];

function scaled(n: number, unit: string): string {
  let scale = 0;
  let value = n;
  // 999.95 and more would be printed as 1000.
  while (Math.abs(value) >= 999.95 && scale < SCALES.length - 1) {
    value /= 1000;
    scale++;
  }
  const digits = scale === 0 || Math.abs(value) >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${SCALES[scale]}${unit}`.trimEnd();
}

export function bytes(n: number): string {
  return scaled(n, "B");
}

/** For the narrow places: `842`, `12.4 k`. */
export function short(n: number): string {
  return scaled(n, "");
}

/** What is not yet known is a dash, which is not the same as nothing. */
export function rate(perSecond: number | undefined): string {
  if (perSecond === undefined) return "–";
  if (perSecond > 0 && perSecond < 9.95) return `${perSecond.toFixed(1)}/s`;
  return `${perSecond < 10_000 ? count(perSecond) : short(perSecond)}/s`;
}

export function byteRate(perSecond: number | undefined): string {
  return perSecond === undefined ? "–" : `${bytes(perSecond)}/s`;
}

/** A span of seconds in at most two units. */
export function span(seconds: number): string {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

function two(big: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${unit}` : `${big} ${unit} ${small} ${smallUnit}`;
}

const hourMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const toSecond = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dayMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayMonthYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** The reader's local time; the day only where it is not that of `now`. What is no time is shown as it came. */
export function clock(iso: string, now: string, seconds = false): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const at = (seconds ? toSecond : hourMinute).format(time);
  const today = new Date(now);
  if (time.toDateString() === today.toDateString()) return at;
  const day = time.getFullYear() === today.getFullYear() ? dayMonth : dayMonthYear;
  return `${day.format(time)}, ${at}`;
}

export function secondsBetween(earlier: string, later: string): number {
  return Math.max(0, (Date.parse(later) - Date.parse(earlier)) / 1000);
}
