import { expect, test } from "vitest";
import { svg, ticks } from "./chart.ts";

test("ticks are in steps that people count in, from 0 to at least the greatest value", () => {
  expect(ticks(5)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(ticks(0.9)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(32_768)).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
});

test("a chart names its axes and tells each point's value, with nothing that ends the text early", () => {
  const chart = svg({
    title: "Files & <cost>",
    x: { label: "files" },
    y: { label: "CPU-seconds" },
    points: [
      { x: 1, y: 2, title: "1 file: 2" },
      { x: 2, y: 4, title: "2 files: 4" },
    ],
    line: { slope: 2, intercept: 0, r2: 1 },
    remark: "2.0 each",
  });
  expect(chart).toContain("Files &amp; &lt;cost>");
  expect(chart).toContain(">CPU-seconds</text>");
  expect(chart.match(/<title>[^<]*<\/title>/g)).toEqual(["<title>1 file: 2</title>", "<title>2 files: 4</title>"]);
});
