import { expect, test } from "vitest";
import { judge, ratiosOf } from "./verdict.ts";

const rounds = (start: number[], job: number[]) =>
  new Map([
    ["start", start],
    ["elasticsearch", job],
  ]);

test("a job's ratio is its median beyond that of a start, so that a slow round changes nothing", () => {
  expect(ratiosOf(rounds([0.25, 0.5, 9], [1.5, 90, 1.25]))).toEqual({ start: 0.5, elasticsearch: 1 });
});

test("a quarter more than the baseline is let pass, what is above is slower", () => {
  const slower = (job: number) => judge(rounds([0.5], [job]), { start: 0.5, elasticsearch: 1 })[1]!.slower;
  expect(slower(0.9)).toBe(false);
  expect(slower(1.75)).toBe(false);
  expect(slower(1.76)).toBe(true);
});

test("a start that has become slower is found, and is not held against the jobs", () => {
  const verdicts = judge(rounds([0.8], [1.8]), { start: 0.5, elasticsearch: 1 });
  expect(verdicts.map(({ slower }) => slower)).toEqual([true, false]);
});

test("a job that the baseline does not know fails: it would never be guarded", () => {
  expect(judge(rounds([0.5], [1.5]), { start: 0.5 })[1]).toMatchObject({ change: undefined, slower: true });
});
