import { expect, test } from "vitest";
import { contentHash } from "../normal.ts";
import { add, type Tally } from "../tally.ts";
import { countBulk, countEvents, countLines, countMessages, SyslogCounter } from "./count.ts";
import type { Orders } from "./orders.ts";

const OFFSETS = [0, 468, 123_456_789_012];
const ENTRIES = ['{"n": 1}', '{"event":"x","n":2}', '{"note":"}{ \\n"}'];
const ID = "s".repeat(22);
const BY = ["ids", "content", "entries"] as const satisfies Orders["by"][];

/** What each way must find in the three entries. */
function expected(by: Orders["by"]): Tally {
  const tally: Tally = { entries: 0, checksum: 0 };
  for (const [i, entry] of ENTRIES.entries()) {
    if (by === "entries") tally.entries++;
    else add(tally, by === "ids" ? OFFSETS[i]! : contentHash(Buffer.from(entry)));
  }
  return tally;
}

function found(count: (tally: Tally) => void): Tally {
  const tally: Tally = { entries: 0, checksum: 0 };
  count(tally);
  return tally;
}

const each = (text: (entry: string, id: string) => string, between = "") =>
  Buffer.from(ENTRIES.map((entry, i) => text(entry, `${ID}-${OFFSETS[i]}`)).join(between));

test.each(BY)("a bulk request, by %s", (by) => {
  const body = each((entry, id) => `{"create":{"_index":"a-b-1","_id":"${id}"}}\n${entry}\n`);
  expect(found((tally) => expect(countBulk(body, by, tally)).toBe(3))).toEqual(expected(by));
});

test.each(BY)("events of the collector, by %s", (by) => {
  const body = each((entry, id) => `{"time":1.5,"fields":{"record_id":"${id}"},"event":${entry}}\n`);
  expect(found((tally) => countEvents(body, by, tally))).toEqual(expected(by));
});

test("events of the collector one behind the other, as other agents send them", () => {
  const body = each((entry) => `{"event":${entry},"time":1.5}`);
  expect(found((tally) => countEvents(body, "entries", tally)).entries).toBe(3);
});

test("log events of CloudWatch", () => {
  const body = Buffer.from(JSON.stringify({ logEvents: ENTRIES.map((message) => ({ timestamp: 1, message })) }));
  expect(found((tally) => countMessages(body, "entries", tally))).toEqual(expected("entries"));
  expect(found((tally) => countMessages(body, "content", tally))).toEqual(expected("content"));
});

test("lines of an object or a file, the last one with or without its end", () => {
  for (const end of ["", "\n"]) {
    const body = Buffer.from(ENTRIES.join("\n") + end);
    expect(found((tally) => countLines(body, "content", tally))).toEqual(expected("content"));
  }
});

const message = (entry: string, id: string) => `<134>1 - h a - - [audit@1 record_id="${id}"] ${entry}`;
const counted = each((entry, id) => `${Buffer.byteLength(message(entry, id))} ${message(entry, id)}`);

test.each(BY.flatMap((by) => [1, 7, 1_000].map((size) => ({ by, size }))))(
  "syslog by $by, in pieces of $size bytes",
  ({ by, size }) => {
    expect(found((tally) => takeAll(counted, size, new SyslogCounter(by, tally)))).toEqual(expected(by));
  },
);

test.each([1, 7, 1_000])("syslog by lines, in pieces of %i bytes", (size) => {
  const lines = each((entry, id) => `${message(entry, id)}\n`);
  expect(found((tally) => takeAll(lines, size, new SyslogCounter("entries", tally)))).toEqual(expected("entries"));
});

function takeAll(bytes: Buffer, size: number, counter: SyslogCounter): void {
  for (let at = 0; at < bytes.length; at += size) counter.take(bytes.subarray(at, at + size));
}
