export interface Point {
  readonly x: number;
  readonly y: number;
}

/** y = intercept + slope · x, and how much of what y does it explains: 1 is all of it. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
  readonly r2: number;
}

/** The line through at least two different x that leaves the least squares. */
export function leastSquares(points: readonly Point[]): Line {
  const mean = (of: (point: Point) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean((point) => point.x);
  const y = mean((point) => point.y);
  const varies = mean((point) => (point.x - x) ** 2);
  const slope = mean((point) => (point.x - x) * (point.y - y)) / varies;
  const intercept = y - slope * x;
  const left = mean((point) => (point.y - intercept - slope * point.x) ** 2);
  const all = mean((point) => (point.y - y) ** 2);
  return { slope, intercept, r2: all === 0 ? 1 : 1 - left / all };
}
