/**
 * Counts the entries of requests, in one of the ways of `Orders.by`. All but `content` look for the ends of lines and no further: that search for
 * one byte is four times as fast as one for a marker.
 */
import { crc32 } from "node:zlib";
import { contentHash } from "../normal.ts";
import { add, type Tally } from "../tally.ts";
import type { Orders } from "./orders.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
/** Characters of a record id before its offset: 22 of the source, and a dash. */
const SOURCE_LENGTH = 23;
const BLANK = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** Behind the id of an action line. */
const ACTION_END = '"}}'.length;
/** Record ids stand behind these, near the start of an event or a message. */
const EVENT_ID = Buffer.from('"record_id":"');
const MESSAGE_ID = Buffer.from('record_id="');
const LINE_END = Buffer.from("\n");
const EVENT = Buffer.from('"event":');
/** Of the envelope; an entry's own event is a text. */
const EVENT_OBJECT = Buffer.from('"event":{');
const MESSAGE = Buffer.from('"message":"');

/** `body` is a bulk request's. Answers how many documents it has. */
export function countBulk(body: Buffer, by: Orders["by"], tally: Tally): number {
  const before = tally.entries;
  if (by === "ids") countActions(body, tally);
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
  if (by === "ids") {
    for (let at = 0; at < body.length; at = lineAfter(body, at)) countId(body, EVENT_ID, at, tally);
  } else if (by === "entries") tally.entries += countOf(body, EVENT_OBJECT);
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
  #octets: boolean | undefined;
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
    this.#rest = all.subarray(this.#messages(all));
  }

  /** Octet counting, as the agent's jobs have it. Answers where the first message begins that is not whole. */
  #messages(all: Buffer): number {
    for (let at = 0; ; ) {
      const blank = all.indexOf(BLANK, at);
      if (blank < 0) return at;
      const end = blank + 1 + digits(all, at, BLANK);
      if (end > all.length) return at;
      if (this.#by === "ids") countId(all, MESSAGE_ID, blank, this.#tally);
      else {
        // The entry is behind the structured data.
        const message = all.subarray(blank + 1, end);
        add(this.#tally, contentHash(message.subarray(message.indexOf('"] {') + 3)));
      }
      at = end;
    }
  }

  /** Both framings of RFC 6587: a connection that begins with a digit counts octets, and one with `<` ends messages with a line break. */
  #number(chunk: Buffer): void {
    this.#octets ??= chunk[0]! >= ZERO && chunk[0]! <= NINE;
    if (!this.#octets) {
      this.#tally.entries += countOf(chunk, LINE_END);
      return;
    }
    const skipped = Math.min(this.#missing, chunk.length);
    this.#missing -= skipped;
    const all = this.#rest.length === 0 ? chunk.subarray(skipped) : Buffer.concat([this.#rest, chunk]);
    this.#rest = all.subarray(all.length);
    for (let at = 0; at < all.length; ) {
      const blank = all.indexOf(BLANK, at);
      if (blank < 0) {
        this.#rest = all.subarray(at);
        return;
      }
      this.#tally.entries++;
      at = blank + 1 + digits(all, at, BLANK);
      this.#missing = Math.max(0, at - all.length);
    }
  }
}

/** Action lines end with a record id; every other line is a document. */
function countActions(body: Buffer, tally: Tally): void {
  for (let at = 0; at < body.length; ) {
    const next = lineAfter(body, at);
    const quote = next - 1 - ACTION_END;
    let digit = quote;
    while (digit > at && body[digit - 1] !== DASH) digit--;
    add(tally, digits(body, digit, QUOTE));
    at = lineAfter(body, next);
  }
}

/** Where the next line begins, or the end. */
function lineAfter(body: Buffer, at: number): number {
  return body.indexOf(NEWLINE, at) + 1 || body.length;
}

/** The next record id behind `at`. */
function countId(body: Buffer, marker: Buffer, at: number, tally: Tally): void {
  add(tally, digits(body, body.indexOf(marker, at) + marker.length + SOURCE_LENGTH, QUOTE));
}

/** The number from `at` to a byte that ends it. */
function digits(bytes: Buffer, at: number, end: number): number {
  let number = 0;
  for (let i = at; bytes[i] !== end && i < bytes.length; i++) number = number * 10 + bytes[i]! - ZERO;
  return number;
}

function countOf(body: Buffer, marker: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at + marker.length)) count++;
  return count;
}

function* lines(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; ) {
    const next = lineAfter(body, at);
    yield body.subarray(at, body[next - 1] === NEWLINE ? next - 1 : next);
    at = next;
  }
}
