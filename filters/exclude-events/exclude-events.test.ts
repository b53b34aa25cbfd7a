import { describe, expect, test } from "vitest";
import { globMatches } from "../../agent/api/glob.ts";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import { filtered, filterOf } from "../shared/testing.ts";
import { excludeEvents } from "./index.ts";

const START = '{"resource_type":"session","action":"start"}';
const REQUEST = '{"event":"api.request"}';
const WHAT = '{"what":"api.requests"}';
const NONE = '{"x":"api.request"}';
const BROKEN = '{"event":"api.request"';
const ALL = [START, REQUEST, WHAT, NONE, BROKEN];

test.each([
  ["start", [REQUEST, WHAT, NONE, BROKEN]],
  ["session.start", [REQUEST, WHAT, NONE, BROKEN]],
  ["session.*", [REQUEST, WHAT, NONE, BROKEN]],
  ["api.request", [START, WHAT, NONE, BROKEN]],
  ["api.request?", [START, REQUEST, NONE, BROKEN]],
  ["API.REQUEST", ALL],
  ["*", [NONE, BROKEN]],
  [
    ["start", "api.*"],
    [NONE, BROKEN],
  ],
])("%j", async (events, expected) => {
  expect((await filtered(excludeEvents, { events }, ALL)).lines).toEqual(expected);
});

test("verdicts are remembered per event, over many more events than there is room for", async () => {
  const filter = await filterOf(excludeEvents, { events: ["e?", "e*7"] });
  const lines = Array.from({ length: 5000 }, (_, i) => `{"event":"e${i}"}`);
  for (let round = 0; round < 2; round++) {
    const kept = linesOf([filter.process(batchOf(lines), () => {})]);
    expect(kept).toEqual(lines.filter((_, i) => i > 9 && i % 10 !== 7));
  }
});

test("a batch keeps its positions, offsets and tag", async () => {
  const filter = await filterOf(excludeEvents, { events: ["api.request"] });
  const batch = batchOf(ALL, { positions: [{ key: "k", value: "v" }] });
  const kept = filter.process(batch, () => {});
  expect(kept.positions).toEqual(batch.positions);
  expect(kept.id(1)).toBe(batch.id(2));
});

describe("globs", () => {
  test.each([
    ["", "", true],
    ["*", "", true],
    ["?", "", false],
    ["a*", "a", true],
    ["*a", "ba", true],
    ["*a", "ab", false],
    ["a*b*c", "aXXbYYc", true],
    ["a*b*c", "aXXcYYb", false],
    ["*ab", "aab", true],
    ["a?c", "abc", true],
    ["a.c", "abc", false],
    ["**", "x", true],
    ["*.fail", "auth.fail", true],
  ])("%j on %j: %j", (glob, text, expected) => {
    expect(globMatches(glob, text)).toBe(expected);
  });

  test("hostile ones end", () => {
    expect(globMatches(`${"*a".repeat(100)}b`, "a".repeat(100_000))).toBe(false);
  });
});

test("options", () => {
  expect(excludeEvents.options.safeParse({ events: [] }).success).toBe(false);
  expect(excludeEvents.options.safeParse({}).success).toBe(false);
  expect(excludeEvents.options.safeParse(excludeEvents.example).success).toBe(true);
});
