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

test("a time is written with the nanoseconds it has", () => {
  const to = Buffer.alloc(64);
  const text = (end: number) => to.toString("latin1", 0, end);
  expect(text(writeTime(1_769_940_000_123, 0, to, 0))).toBe("2026-02-01T10:00:00.123Z");
  expect(text(writeTime(1_769_940_000_123, 7, to, 0))).toBe("2026-02-01T10:00:00.123000007Z");
});

test("a strict time is copied, whatever its length, and nothing beside it is touched", () => {
  for (let digits = 0; digits <= 9; digits++) {
    for (const zone of ["Z", "+01:00"]) {
      const written = `2026-02-01T10:00:00${digits === 0 ? "" : `.${"123456789".slice(0, digits)}`}${zone}`;
      const bytes = Buffer.from(`{"t":"${written}"}`);
      const time = Object.assign(new EntryTime(), { strict: true, start: 5, end: bytes.length - 1 });
      const to = Buffer.alloc(64, "-");
      const view = ({ buffer, byteOffset, length }: Buffer) => new DataView(buffer, byteOffset, length);
      const end = copyTime(view(bytes), time, view(to), 14);
      expect(to.toString("latin1")).toBe("-".repeat(14) + written.padEnd(50, "-"));
      expect(end).toBe(14 + written.length);
    }
  }
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
