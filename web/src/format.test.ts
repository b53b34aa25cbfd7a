import { expect, test } from "vitest";
import { byteRate, bytes, clock, count, entries, rate, secondsBetween, short, span } from "./format.ts";

test.each([
  [bytes(0), "0 B"],
  [bytes(999), "999 B"],
  [bytes(999.99), "1.0 kB"],
  [bytes(67_108_864), "67.1 MB"],
  [bytes(10e9), "10.0 GB"],
  [bytes(250e9), "250 GB"],
  [bytes(3e15), "3000 TB"],
  [short(842), "842"],
  [short(18_441), "18.4 k"],
  [rate(undefined), "–"],
  [rate(0), "0/s"],
  [rate(0.26), "0.3/s"],
  [rate(1224), "1,224/s"],
  [rate(44_160), "44.2 k/s"],
  [byteRate(517_000), "517 kB/s"],
  [byteRate(undefined), "–"],
  [entries(1), "1 entry"],
  [entries(12_431), "12,431 entries"],
  [count(1.6), "2"],
  [span(0.04), "0 s"],
  [span(0.4), "0.4 s"],
  [span(59.9), "59 s"],
  [span(60), "1 min"],
  [span(3599), "59 min"],
  [span(3600), "1 h"],
  [span(11_520), "3 h 12 min"],
  [span(90_000), "1 d 1 h"],
])("%s", (said, expected) => {
  expect(said).toBe(expected);
});

test("the day is said only where it is another one", () => {
  // Local times, as the reader's: no time zone.
  const now = "2026-02-12T12:00:00";
  expect(clock("2026-02-12T10:32:09", now)).toBe("10:32");
  expect(clock("2026-02-12T10:32:09", now, true)).toBe("10:32:09");
  expect(clock("2026-02-11T23:59:00", now)).toBe("11 Feb, 23:59");
  expect(clock("2025-12-31T23:59:00", now)).toBe("31 Dec 2025, 23:59");
  expect(clock("yesterday", now)).toBe("yesterday");
});

test("a clock that was set back makes no negative span", () => {
  expect(secondsBetween("2026-02-12T12:00:00Z", "2026-02-12T12:00:05Z")).toBe(5);
  expect(secondsBetween("2026-02-12T12:00:05Z", "2026-02-12T12:00:00Z")).toBe(0);
});
