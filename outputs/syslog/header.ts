/** Fields of the headers: RFC 5424, 6.2, and RFC 3164, 4.1. */
import { type EntryTime, TimeKind } from "../../agent/api/view.ts";

export const NIL = "-";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** RFC 3164, 4.1.3. */
const MAX_TAG = 32;
/** RFC 3339 has years of four digits. */
const FIRST_MS = Date.parse("0000-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** RFC 5424, 6.2.3: at most microseconds; the entry's own offset. */
export function rfc3339({ kind, ms, nanos, offset }: EntryTime, readTime: number): string {
  const there = ms + offset * 60_000;
  const own = kind === TimeKind.exact && there >= FIRST_MS && there <= LAST_MS;
  const minutes = own ? offset : 0;
  const text = isoTime(own ? there : readTime);
  const micros = own && nanos >= 1_000 ? String(Math.floor(nanos / 1_000)).padStart(3, "0") : "";
  if (minutes === 0) return `${text}${micros}Z`;
  const away = Math.abs(minutes);
  return `${text}${micros}${minutes < 0 ? "-" : "+"}${two(Math.floor(away / 60))}:${two(away % 60)}`;
}

/** The last second, and its text: entries come in the order of their times, many to a second. */
let lastSecond = Number.NaN;
let lastText = "";

/** `YYYY-MM-DDTHH:MM:SS.mmm`. */
function isoTime(ms: number): string {
  const second = Math.floor(ms / 1_000);
  if (second !== lastSecond) {
    lastText = new Date(ms).toISOString().slice(0, 20);
    lastSecond = second;
  }
  return lastText + String(Math.floor(ms - second * 1_000)).padStart(3, "0");
}

/** RFC 3164, 4.1.2: this host's local time, as every receiver of this form takes it. */
export function rfc3164({ kind, ms }: EntryTime, readTime: number): string {
  const at = new Date(kind === TimeKind.exact ? ms : readTime);
  const day = String(at.getDate()).padStart(2, " ");
  return `${MONTHS[at.getMonth()]} ${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `tag` or `tag[pid]`, with the characters that receivers take for one. */
export function rfc3164Tag(name: string, pid: string): string {
  const tag = name.replace(/[^\w.-]/g, "_").slice(0, MAX_TAG);
  return pid === NIL ? tag : `${tag}[${pid.replace(/[^\w.-]/g, "_")}]`;
}

/** PRINTUSASCII, or the nil value where nothing is left. */
export function printable(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]+/g, "_").slice(0, most) || NIL;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}
