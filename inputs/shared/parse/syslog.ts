import { isUtf8 } from "node:buffer";
import { type Cut, RecordBatch, SpanFlag } from "../../../agent/api/batch.ts";
import { FACILITIES, SEVERITIES } from "../../../agent/api/syslog-names.ts";
import { Scanner } from "../../../agent/json/scanner.ts";
import type { RecordOutput } from "./output.ts";
import type { LineParser } from "./parsed.ts";
import { markLength } from "./spans.ts";

const SPACE = 0x20;
const AT = 0x40;
/** Headers are looked for in so many bytes; what their parts may have at most (RFC 5424, section 6) is less. */
const HEADER_BYTES = 1024;

const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?`;
const BSD = String.raw`[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?`;
const PRIORITY = /^<(\d{1,3})>/;
/** RFC 5424: version, time, host, application, process, message id; structured data and text follow. */
const NEW = new RegExp(String.raw`^1 (-|${ISO}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) `);
/** RFC 3164 and what syslog daemons write to files: time, host, `name[pid]: `. Host and name may be missing. */
const OLD = new RegExp(
  String.raw`^(${ISO}|${BSD}) (?:((?!\{)\S{0,254}[^\s:]) )??(?:([^\s:[\]{"]{1,128})(?:\[([^\s\]]{0,128})\])?:(?: |(?=\{)|$))`,
);
const OLD_PLAIN = new RegExp(String.raw`^(${ISO}|${BSD}) (?:((?!\{)\S{1,255}) )?`);
const NOT_ASCII = /[\x80-\xff]/;
/** Marks a JSON body (http://cee.mitre.org). */
const COOKIE = /^@cee: */;

interface Header {
  time?: string | undefined;
  host?: string | undefined;
  ident?: string | undefined;
  pid?: string | undefined;
  msgid?: string | undefined;
  priority?: number;
  structured_data?: string;
}

/**
 * Syslog lines in files, RFC 5424 or RFC 3164, with or without a priority. Where the text is a JSON object the record is the text,
 * untouched. Otherwise it is a new object with what the line has of `time`, `host`, `ident`, `pid`, `msgid`, `priority` (0-191) with
 * its `facility` and `level` by name, `structured_data` (as written) and `message` (invalid UTF-8: U+FFFD, and the bytes in
 * `message_base64`). A time without a zone stays the text it is: whose zone it is in, the line does not say. A line of another
 * form passes whole. `maxLineBytes` bounds the line; the object made of it may be longer.
 */
export class SyslogParser implements LineParser {
  readonly pending = undefined;
  readonly #max: number;
  readonly #scanner = new Scanner([]);

  constructor(maxLineBytes: number) {
    this.#max = maxLineBytes;
  }

  line(buffer: Buffer, start: number, end: number, offset: number, out: RecordOutput): void {
    const header: Header = {};
    const text = readHeader(buffer, start, end, header);
    if (text < 0) {
      out.add(buffer, start, end, offset, this.#max);
      return;
    }
    const body = bodyStart(buffer, text, end);
    if (this.#isObject(buffer, body, end)) {
      out.add(buffer, body, end, offset, this.#max);
      return;
    }
    const made = makeObject(header, buffer.subarray(text + markLength(buffer, text), end));
    out.add(made, 0, made.length, offset, made.length);
  }

  cutLine(bytes: Buffer, offset: number, cut: Cut, out: RecordOutput): void {
    out.addCut(bytes, 0, bytes.length, offset, cut);
  }

  flush(): void {}

  /** Judged by the scanner that judges every entry later, so that the two cannot disagree. */
  #isObject(buffer: Buffer, start: number, end: number): boolean {
    if (buffer[start] !== 0x7b) return false;
    const batch = new RecordBatch({
      buffer,
      starts: Uint32Array.of(start),
      ends: Uint32Array.of(end),
      offsets: new Float64Array(1),
      count: 1,
      tag: "",
      source: { id: "", input: "", group: "" },
      readTime: 0,
    });
    return (this.#scanner.spans(batch).flags(0) & SpanFlag.notObject) === 0;
  }
}

/** Position of the text behind the header; -1 where the line has none. */
function readHeader(buffer: Buffer, start: number, end: number, header: Header): number {
  let line = buffer.toString("latin1", start, Math.min(end, start + HEADER_BYTES));
  const priority = PRIORITY.exec(line);
  if (priority) {
    header.priority = Number(priority[1]);
    if (header.priority > 191) return -1;
    line = line.slice(priority[0].length);
    start += priority[0].length;
  }
  const found = NEW.exec(line);
  if (found) {
    [header.time, header.host, header.ident, header.pid, header.msgid] = found.slice(1).map(nilOr);
    return structuredData(buffer, start + found[0].length, end, header);
  }
  const old = OLD.exec(line) ?? OLD_PLAIN.exec(line);
  if (!old) return -1;
  [header.time, header.host, header.ident, header.pid] = old.slice(1).map(nilOr);
  return start + old[0].length;
}

/** RFC 5424's absent value is `-`. Names are UTF-8, and were read as bytes. */
function nilOr(text: string | undefined): string | undefined {
  if (text === undefined || text === "-" || text === "") return undefined;
  return NOT_ASCII.test(text) ? Buffer.from(text, "latin1").toString() : text;
}

/** Skips `-` or `[id name="value"]…`; answers where the text begins, -1 where it is neither. */
function structuredData(buffer: Buffer, start: number, end: number, header: Header): number {
  let at = start;
  if (buffer[at] === 0x2d) at++;
  else {
    while (at < end && buffer[at] === 0x5b) {
      at = elementEnd(buffer, at, end);
      if (at < 0) return -1;
    }
    if (at === start) return -1;
    header.structured_data = buffer.toString("utf8", start, at);
  }
  if (at >= end) return end;
  return buffer[at] === SPACE ? at + 1 : -1;
}

function elementEnd(buffer: Buffer, start: number, end: number): number {
  let quoted = false;
  for (let at = start; at < end; at++) {
    const byte = buffer[at];
    if (quoted && byte === 0x5c) at++;
    else if (byte === 0x22) quoted = !quoted;
    else if (byte === 0x5d && !quoted) return at + 1;
  }
  return -1;
}

/** Where a JSON body would begin: behind a byte order mark, a cookie, spaces. */
function bodyStart(buffer: Buffer, start: number, end: number): number {
  let at = start + markLength(buffer, start);
  while (at < end && buffer[at] === SPACE) at++;
  if (buffer[at] !== AT) return at;
  at += COOKIE.exec(buffer.toString("latin1", at, Math.min(end, at + 64)))?.[0].length ?? 0;
  return at;
}

function makeObject(header: Header, text: Buffer): Buffer {
  const { time, host, ident, pid, msgid, priority, structured_data } = header;
  const named = priority === undefined ? {} : { facility: FACILITIES[priority >> 3], level: SEVERITIES[priority & 7] };
  const bytes = isUtf8(text) ? {} : { message_base64: text.toString("base64") };
  const message = text.toString();
  return Buffer.from(
    JSON.stringify({ time, host, ident, pid, msgid, priority, ...named, structured_data, message, ...bytes }),
  );
}
