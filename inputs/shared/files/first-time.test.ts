import { expect, test } from "vitest";
import { firstTime } from "./first-time.ts";

const AT = Date.UTC(2026, 1, 3, 4, 5, 6);

test.each([
  ['{"event":"x","timestamp":"2026-02-03T04:05:06Z"}', AT],
  ['{"time": "2026-02-03 05:05:06,250+01:00"}', AT + 250],
  ['{"@timestamp":"2026-02-03T04:05:06.0005Z"}', AT + 0.5],
  ['{"ts":1770091506}', AT],
  ['{"ts":1770091506.5}', AT + 500],
  ['{"date":1770091506000}', AT],
  ["2026-02-03 04:05:06 started", AT],
  ['{"é":1,"time":"2026-02-03T04:05:06"}', AT],
  ['{"time":"yesterday at ten"}', undefined],
  ["", undefined],
  ["no time", undefined],
])("%s", (line, ms) => {
  expect(firstTime(Buffer.from(line))).toBe(ms);
});
