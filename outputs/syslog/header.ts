/** Fields of the headers: RFC 5424, 6.2, and RFC 3164, 4.1. */
import { type EntryTime, TimeKind } from "../../agent/api/view.ts";
import { writePadded } from "../shared/digits.ts";
import type { ByteWriter } from "../shared/writer.ts";

export const NIL = "-";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** RFC 3164, 4.1.3. */
const MAX_TAG = 32;
/** RFC 3339 has years of four digits. */
const FIRST_MS = Date.parse("0000-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** RFC 5424, 6.2.3: at most microseconds; the entry's own offset. */
export function writeRfc3339({ kind, ms, nanos, offset }: EntryTime, readTime: number, writer: ByteWriter): void {
  const there = ms + offset * 60_000;
  const own = kind === TimeKind.exact && there >= FIRST_MS && there <= LAST_MS;
  const minutes = own ? offset : 0;
  const time = own ? there : readTime;
  const second = Math.floor(time / 1_000);
  if (second !== lastSecond) {
    lastText.write(new Date(time).toISOString(), "latin1");
    lastSecond = second;
  }
  writer.bytes(lastText);
  writer.ensure(12);
  const { buffer } = writer;
  let at = writePadded(buffer, writer.length, Math.floor(time - second * 1_000), 3);
  if (own && nanos >= 1_000) at = writePadded(buffer, at, Math.floor(nanos / 1_000), 3);
  if (minutes === 0)
    buffer[at++] = 0x5a; // Z
  else {
    const away = Math.abs(minutes);
    buffer[at] = minutes < 0 ? 0x2d : 0x2b;
    at = writePadded(buffer, at + 1, Math.floor(away / 60), 2);
    buffer[at] = 0x3a; // :
    at = writePadded(buffer, at + 1, away % 60, 2);
  }
  writer.length = at;
}

/** The last second, and its text, `YYYY-MM-DDTHH:MM:SS.`: entries come in the order of their times, many to a second. */
let lastSecond = Number.NaN;
const lastText = Buffer.alloc(20);

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
