import { expect, test } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const NOW = Date.UTC(2026, 1, 1, 12);

test.each([
  [undefined, undefined],
  ["0", 0],
  ["7", 7_000],
  [" 120 ", 120_000],
  ["99999999999999999999", 3_600_000],
  ["Sun, 01 Feb 2026 12:01:30 GMT", 90_000],
  ["Sunday, 01-Feb-26 12:01:30 GMT", 90_000],
  ["Sun, 01 Feb 2026 11:59:00 GMT", undefined],
  ["Sun, 01 Feb 2036 12:00:00 GMT", 3_600_000],
  ["", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["0x10", undefined],
  ["1e3", undefined],
  ["soon", undefined],
  ["2026", 2_026_000],
  ["Tomorrow, perhaps", undefined],
])("Retry-After: %s is %s ms", (header, ms) => {
  expect(retryAfterMs(header, NOW)).toBe(ms);
});
