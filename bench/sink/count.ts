/** Counts the entries of requests, in one of the ways of `Orders.by`. All but `content` cost a search for a marker per entry, and no JavaScript per byte. */
import { crc32 } from "node:zlib";
import { contentHash } from "../normal.ts";
import { add, type Tally } from "../tally.ts";
import type { Orders } from "./orders.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
/** Characters of a record id before its offset: 22 of the source, and a dash. */
const SOURCE_LENGTH = 23;
/** A record id is behind these. */
const ID = {
  elasticsearch: Buffer.from('"_id":"'),
  splunk: Buffer.from('"record_id":"'),
  syslog: Buffer.from('record_id="'),
};
const LINE_END = Buffer.from("\n");
const EVENT = Buffer.from('"event":');
/** Of the envelope; an entry's own event is a text. */
const EVENT_OBJECT = Buffer.from('"event":{');
const MESSAGE = Buffer.from('"message":"');

/** `body` is a bulk request's. Answers how many documents it has. */
export function countBulk(body: Buffer, by: Orders["by"], tally: Tally): number {
  const before = tally.entries;
  if (by === "ids") countIds(body, ID.elasticsearch, tally);
  else if (by === "entries") tally.entries += countOf(body, LINE_END) / 2;
  else {
    let isDocument = false;
    for (const line of lines(body)) {
      if (isDocument) add(tally, contentHash(line));
      isDocument = !isDocument;
    }
  }
  return tally.entries - before;
}

/** Events of HEC, in their envelopes. */
export function countEvents(body: Buffer, by: Orders["by"], tally: Tally): void {
  if (by === "ids") countIds(body, ID.splunk, tally);
  else if (by === "entries") tally.entries += countOf(body, EVENT_OBJECT);
  else for (const line of lines(body)) add(tally, contentHash(line.subarray(line.indexOf(EVENT) + EVENT.length, -1)));
}

/** PutLogEvents. */
export function countMessages(body: Buffer, by: Orders["by"], tally: Tally): void {
  if (by !== "content") tally.entries += countOf(body, MESSAGE);
  else {
    const { logEvents } = JSON.parse(body.toString()) as { logEvents: { message: string }[] };
    for (const { message } of logEvents) add(tally, contentHash(Buffer.from(message)));
  }
}

/** Of an object or a file: each line by its bytes, for there are no ids. */
export function countLines(content: Buffer, by: Orders["by"], tally: Tally): void {
  if (by === "entries") tally.entries += countOf(content, LINE_END);
  else for (const line of lines(content)) add(tally, by === "ids" ? crc32(line) : contentHash(line));
}

/** Syslog over one connection, which cuts messages anywhere. */
export class SyslogCounter {
  readonly #by: Orders["by"];
  readonly #tally: Tally;
  #rest: Buffer = Buffer.alloc(0);
  /** Octet counting: bytes of the message at hand that are still to come. */
  #missing = 0;

  constructor(by: Orders["by"], tally: Tally) {
    this.#by = by;
    this.#tally = tally;
  }

  take(chunk: Buffer): void {
    if (this.#by === "entries") {
      this.#number(chunk);
      return;
    }
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const done = this.#by === "ids" ? this.#ids(all) : this.#messages(all);
    this.#rest = all.subarray(done);
  }

  #ids(all: Buffer): number {
    const begun = countIds(all, ID.syslog, this.#tally);
    // A marker, or an id, may be cut in two.
    return Math.max(0, Math.min(begun, all.length - ID.syslog.length + 1));
  }

  /** Octet counting, as the agent's jobs have it, with the entry behind the structured data. */
  #messages(all: Buffer): number {
    for (let at = 0; ; ) {
      const blank = all.indexOf(0x20, at);
      const end = blank + 1 + Number(all.subarray(at, Math.max(at, blank)));
      if (blank < 0 || end > all.length) return at;
      const message = all.subarray(blank + 1, end);
      add(this.#tally, contentHash(message.subarray(message.indexOf('"] {') + 3)));
      at = end;
    }
  }

  /** Both framings of RFC 6587: a message that begins with a digit is counted in octets, and with `<` ends with its line. */
  #number(chunk: Buffer): void {
    const skipped = Math.min(this.#missing, chunk.length);
    this.#missing -= skipped;
    const all = this.#rest.length === 0 ? chunk.subarray(skipped) : Buffer.concat([this.#rest, chunk]);
    this.#rest = all.subarray(all.length);
    for (let at = 0; at < all.length; ) {
      const first = all[at]!;
      if (first < 0x30 || first > 0x39) {
        this.#tally.entries += countOf(all.subarray(at), LINE_END);
        return;
      }
      const blank = all.indexOf(0x20, at);
      if (blank < 0) {
        this.#rest = all.subarray(at);
        return;
      }
      this.#tally.entries++;
      at = blank + 1 + Number(all.subarray(at, blank));
      this.#missing = Math.max(0, at - all.length);
    }
  }
}

/** Counts the record ids that end before `end`; answers where the first one that does not begins. */
function countIds(body: Buffer, marker: Buffer, tally: Tally): number {
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at)) {
    let digit = at + marker.length + SOURCE_LENGTH;
    let offset = 0;
    for (; body[digit] !== QUOTE; digit++) {
      if (digit >= body.length) return at;
      offset = offset * 10 + body[digit]! - 48;
    }
    add(tally, offset);
    at = digit;
  }
  return body.length;
}

function countOf(body: Buffer, marker: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at + marker.length)) count++;
  return count;
}

function* lines(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(NEWLINE, at);
    yield body.subarray(at, end < 0 ? body.length : end);
    at = end < 0 ? body.length : end + 1;
  }
}
