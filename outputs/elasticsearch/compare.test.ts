import { expect, test } from "vitest";
import { isSameEntry, parseExact } from "./compare.ts";

const same = (sent: string, stored: string, added: string[][] = []) =>
  isSameEntry(parseExact(sent), parseExact(stored), added);

test.each([
  ['{"a":1,"b":[1,{"c":null}]}', '{ "b": [1, {"c": null}], "a": 1 }', true],
  ['{"a":1}', '{"a":1.0}', false],
  ['{"a":9007199254740993}', '{"a":9007199254740992}', false],
  ['{"a":1}', '{"a":"1"}', false],
  ['{"a":1}', '{"a":1,"b":2}', false],
  ['{"a":1,"b":2}', '{"a":1}', false],
  ['{"a":[1,2]}', '{"a":[2,1]}', false],
  ['{"a":{}}', '{"a":[]}', false],
  ['{"a":null}', "{}", false],
  ['{"toString":1}', "{}", false],
  ["{}", '{"toString":1}', false],
  ['{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}', false],
  ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}', true],
  ['{"a":"\\u00e9"}', '{"a":"é"}', true],
  ['{"a":"\\\\"}', '{"a":"\\u005C"}', true],
  ['{"a":"\\\\"}', '{"a":"\\ue05c"}', false],
  ['{"a":"\ue05c"}', '{"a":"\\uE05C"}', true],
  ["{}", "[]", false],
  ["{}", "null", false],
])("%s and %s: %s", (sent, stored, expected) => {
  expect(same(sent, stored)).toBe(expected);
  expect(same(stored, sent)).toBe(expected);
});

test.each(['"\\t"', '"\\u00e9"', '"\\uffff"'])("a key that is a backslash does not stand for %s after it", (key) => {
  // Keys seen before are what V8 guesses by.
  parseExact(`{"${key.slice(2, -1)}":1,"\\\\":2.0}`);
  const sent = `{"${key.slice(2, -1)}":1,${key}:[1.0,{"n":2.50}]}`;
  expect(same(sent, sent.replace(key, JSON.stringify(JSON.parse(key))))).toBe(true);
  expect(same(sent, sent.replace(key, '"\\\\"'))).toBe(false);
  expect(same(sent, sent.replace("2.50", "2.51"))).toBe(false);
});

test("what the agent added may differ, what the entry says may not", () => {
  const added = [["metadata", "pid"], ["@timestamp"], ["env"]];
  const entry = (metadata: string, rest = "") => `{"a":1,"metadata":${metadata}${rest}}`;
  expect(same(entry('{"pid":1,"own":2}'), entry('{"pid":7,"own":2}', ',"env":"x","@timestamp":"t"'), added)).toBe(true);
  expect(same(entry('{"pid":1,"own":2}'), entry('{"pid":1,"own":3}'), added)).toBe(false);
  expect(same(entry('{"pid":1}'), entry('{"pid":1,"more":3}'), added)).toBe(false);
  expect(same(entry("1"), '{"a":1}', added)).toBe(true);
  expect(
    same('{"a":1,"agent_metadata":{"pid":1}}', '{"a":1,"agent_metadata":{"pid":2}}', [
      ["metadata", "pid"],
      ["agent_metadata", "pid"],
    ]),
  ).toBe(true);
});
