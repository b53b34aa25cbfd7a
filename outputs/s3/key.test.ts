import { describe, expect, test } from "vitest";
import { besides, type KeyOptions, keyProblems, keyTemplate } from "./key.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test.each([
  ["a/%Y/$TAG.jsonl", "none", "a/2026/audit.x-n-F-L.jsonl"],
  ["a/$TAG", "gzip", "a/audit.x-n-F-L.gz"],
  ["/$INDEX/$TAG[0]/$TAG[9]$FIRST_$LAST.gz", "gzip", "7/audit/F_L.gz"],
  ["v1.2/$NODE/%H%M%S-$RANGE.tar", "zstd", "v1.2/n/110405-n-F-L.tar.zst"],
] as const)("key of %s", (format, compression, key) => {
  const template = keyTemplate({ format, compression, zone: "Europe/Berlin", delimiters: "." });
  const ms = Date.UTC(2026, 1, 1, 10, 4, 5);
  expect(template.render({ tag: "audit.x", node: "n", ms, first: "F", last: "L", plan: "7.3-9.1" })).toBe(key);
});

describe("tags that are odd make keys that are not", () => {
  const key = (format: string, tag: string, more: Partial<KeyOptions> = {}) =>
    keyTemplate({ format, compression: "none", zone: "UTC", delimiters: ".", ...more }).render({
      ...{ tag, node: "n", ms: 0, first: "F", last: "L", plan: "7.3-9.1" },
    });
  test.each([
    ["$TAG/$RANGE", "a/b", "a_b/n-F-L"],
    ["x/$TAG/$RANGE", "..", "x/__/n-F-L"],
    ["x/$TAG/$RANGE", "../../etc", "x/.._.._etc/n-F-L"],
    ["$TAG[0]/$TAG[1]/$RANGE", "a", "a/n-F-L"],
    ["$TAG[1]/$RANGE", "a", "n-F-L"],
    ["$TAG[0]/$TAG[1]/$TAG[2]/$RANGE", "a..b", "a/b/n-F-L"],
    ["//logs//$TAG/$RANGE", "my app", "logs/my_app/n-F-L"],
    ["$TAG/$RANGE", "zoë 🎉", "zo____/n-F-L"],
    ["$TAG/$RANGE", "$RANGE%Y", "_RANGE_Y/n-F-L"],
    ["$TAG/$RANGE", "x".repeat(500), `${"x".repeat(128)}/n-F-L`],
  ])("%s of %j", (format, tag, expected) => {
    expect(key(format, tag)).toBe(expected);
  });

  test("any characters may part a tag", () => {
    expect(key("$TAG[1]/$TAG[2]/$RANGE", "a-b]c", { delimiters: "]-" })).toBe("b/c/n-F-L");
  });
});

test("names beside others", () => {
  expect(besides("a.b/c.jsonl.gz", 1)).toBe("a.b/c-1.jsonl.gz");
  expect(besides("a/c-1.2", 2)).toBe("a/c-1.2-2");
});

test("formats that make no sense", () => {
  const error = (format: string) => keyProblems(format, MINUTE).error;
  expect(error("x/$UUID")).toContain("$RANGE");
  expect(error("x/$TAGS")).toContain("$TAGS is unknown");
  expect(error("x/%Q")).toContain("%Q");
  expect(error("//")).toContain("must name an object");
  expect(error("x".repeat(513))).toContain("512 bytes");
});

test.each([
  ["x/$RANGE", 48 * HOUR, undefined],
  ["audit/$TAG/%Y/%m/%d/%H%M%S-$RANGE.jsonl", 24 * HOUR, undefined],
  ["%Y/%m/%d/%H/$RANGE", HOUR, undefined],
  ["x/%Y", MINUTE, "no record range"],
  ["%Y/%m/%d/$RANGE", 25 * HOUR, "with every day"],
  ["%Y/%m/%d/%H/$RANGE", HOUR + MINUTE, "with every hour"],
  ["%H%M/$RANGE", MINUTE, "finer than an hour"],
])("%s with an upload_timeout of %i ms: %s", (format, ageMs, warning) => {
  const { error, warnings } = keyProblems(format, ageMs);
  expect(error).toBeUndefined();
  expect(warnings).toEqual(warning === undefined ? [] : [expect.stringContaining(warning)]);
});

describe("in a zone whose clock is changed", () => {
  const of = (format: string, iso: string) =>
    keyTemplate({ format, compression: "none", zone: "Europe/Berlin", delimiters: "." }).render({
      ...{ tag: "t", node: "n", ms: Date.parse(iso), first: "F", last: "L", plan: "" },
    });
  test.each([
    ["2026-03-29T00:59:59Z", "2026-03-29/015959-n-F-L"],
    ["2026-03-29T01:00:00Z", "2026-03-29/030000-n-F-L"],
    ["2026-10-25T00:30:00Z", "2026-10-25/023000-n-F-L"],
    ["2026-10-25T01:30:00Z", "2026-10-25/023000-n-F-L"],
    ["2026-10-24T22:00:00Z", "2026-10-25/000000-n-F-L"],
    // The zero time of some languages, in Berlin's own time of those days.
    ["0001-01-01T12:00:00Z", "0001-01-01/125328-n-F-L"],
  ])("%s", (iso, key) => {
    expect(of("%F/%H%M%S-$RANGE", iso)).toBe(key);
  });

  test("%s counts from the epoch all the same, also in the hour that comes twice", () => {
    const template = keyTemplate({
      format: "%H/%s-$RANGE",
      compression: "none",
      zone: "Europe/Berlin",
      delimiters: ".",
    });
    const at = (iso: string) =>
      template.render({ tag: "t", node: "n", ms: Date.parse(iso), first: "F", last: "L", plan: "" });
    expect(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map(at)).toEqual([
      "02/1792888200-n-F-L",
      "02/1792891800-n-F-L",
    ]);
  });
});
