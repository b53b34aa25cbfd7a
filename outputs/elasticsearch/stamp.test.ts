import { expect, test } from "vitest";
import { EntryTime } from "../../agent/api/view.ts";
import { parseTime } from "../../agent/api/view-time.ts";
import { copyTime, fitsNanos, writeTime } from "./stamp.ts";

const strict = (text: string) => {
  const time = new EntryTime();
  parseTime(Buffer.from(text), 0, Buffer.byteLength(text), time);
  return time.strict;
};

test.each([
  ["2026-02-01T09:00:17Z", true],
  ["2026-02-01T09:00:17.1Z", true],
  ["2026-02-01T09:00:17.123456+00:00", true],
  ["2026-02-01T09:00:17.123456789-17:59", true],
  ["2024-02-29T23:59:59Z", true],
  ["2000-02-29T00:00:00Z", true],
  ["2100-02-29T00:00:00Z", false],
  ["2026-02-29T00:00:00Z", false],
  ["2026-04-31T00:00:00Z", false],
  ["2026-00-01T00:00:00Z", false],
  ["2026-13-01T00:00:00Z", false],
  ["2026-01-00T00:00:00Z", false],
  ["2026-02-01T24:00:00Z", false],
  ["2026-02-01T23:60:00Z", false],
  ["2026-02-01T23:59:60Z", false],
  ["2026-02-01T09:00:17.Z", false],
  ["2026-02-01T09:00:17.1234567890Z", false],
  ["2026-02-01T09:00:17", false],
  ["2026-02-01T09:00:17z", false],
  ["2026-02-01T09:00:17+0100", false],
  ["2026-02-01T09:00:17+01", false],
  ["2026-02-01T09:00:17+18:00", false],
  ["2026-02-01T09:00:17+01:60", false],
  ["2026-02-01 09:00:17Z", false],
  ["2026-02-01t09:00:17Z", false],
  ["2026-02-01T09:00:17,123Z", false],
  ["2026-2-01T09:00:17.00Z", false],
  ["+2026-02-01T09:00:17Z", false],
  ['2026-02-01T09:00:17"Z', false],
  ["２０２６-02-01T09:00:17Z", false],
  ["", false],
])("%s is strict: %s", (text, expected) => {
  expect(strict(text)).toBe(expected);
});

test("a time that is not strict is written anew, with its nanoseconds", () => {
  const to = Buffer.alloc(64);
  const text = (end: number) => to.toString("latin1", 0, end);
  expect(text(writeTime(1_769_940_000_123, 0, to, 0))).toBe("2026-02-01T10:00:00.123Z");
  expect(text(writeTime(1_769_940_000_123, 7, to, 0))).toBe("2026-02-01T10:00:00.123000007Z");
  const time = new EntryTime();
  Object.assign(time, { ms: 1_769_940_000_000, nanos: 400, start: 2, end: 29 });
  expect(text(copyTime(Buffer.from(': "2026-02-01 10:00:00.0000004"'), time, to, 0))).toBe(
    "2026-02-01T10:00:00.000000400Z",
  );
  Object.assign(time, { strict: true, end: 24 });
  expect(text(copyTime(Buffer.from(': "2026-02-01T10:00:00Z"'), time, to, 0))).toBe("2026-02-01T10:00:00Z");
});

test("date_nanos holds 1970 to 2262", () => {
  expect([-1, 0, 9_223_372_036_853, 9_223_372_036_854, Number.NaN].map(fitsNanos)).toEqual([
    false,
    true,
    true,
    false,
    false,
  ]);
});
