import { expect, test } from "vitest";
import { leastSquares } from "./fit.ts";

const points = (...pairs: [x: number, y: number][]) => pairs.map(([x, y]) => ({ x, y }));

test("what lies on a line is that line, and explained wholly", () => {
  expect(leastSquares(points([0, 1], [1, 3], [5, 11]))).toEqual({ slope: 2, intercept: 1, r2: 1 });
});

test("what does not is explained in part", () => {
  const { slope, intercept, r2 } = leastSquares(points([0, 0], [1, 3], [2, 0], [3, 3]));
  expect([slope, intercept, r2].map((value) => Number(value.toFixed(3)))).toEqual([0.6, 0.6, 0.2]);
});

test("what never changes is explained by a flat line", () => {
  expect(leastSquares(points([0, 2], [1, 2], [2, 2]))).toEqual({ slope: 0, intercept: 2, r2: 1 });
});
