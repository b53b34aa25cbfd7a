import { expect, test } from "vitest";
import { ADDED, contentHash } from "./normal.ts";

const hash = (text: string) => contentHash(Buffer.from(text));
const ENTRY = '{"timestamp": "2026-02-01", "n": 1.0, "text": "a, \\"b\\": {c}", "list": [1, NaN]}';

test.each([
  ["blanks between tokens", '{"timestamp":"2026-02-01","n":1.0,"text":"a, \\"b\\": {c}","list":[1,NaN]}'],
  ["null for what is no number", ENTRY.replace("NaN", "null")],
  ["members of the metadata filter", ENTRY.replace(/\}$/, `,"metadata":{${ADDED}}}`)],
  ["a stamp, and where it is from", ENTRY.replace(/\}$/, `,"@timestamp":"2026-02-01T00:00:00Z","time_from":"agent"}`)],
])("%s make no difference", (_, received) => expect(hash(received)).toBe(hash(ENTRY)));

test("members of the metadata filter are gone from metadata of its own", () => {
  const own = (more: string) => `{"a":1,"metadata":{"host":"h"${more}},"b":2}`;
  expect(hash(own(`,${ADDED}`))).toBe(hash(own("")));
  expect(hash(`{"a":1,"metadata":{${ADDED}}}`)).toBe(hash('{"a":1,"metadata":null}'));
});

test.each([
  ["a digit", ENTRY.replace("1.0", "1.00")],
  ["an escape", ENTRY.replace("a,", "\\u0061,")],
  ["a blank in a text", ENTRY.replace("a, ", "a,")],
  ["the order of members", '{"n": 1.0, "timestamp": "2026-02-01", "text": "a, \\"b\\": {c}", "list": [1, NaN]}'],
  ["a member too many", ENTRY.replace(/\}$/, ',"x":1}')],
])("%s makes a difference", (_, received) => expect(hash(received)).not.toBe(hash(ENTRY)));
