import { expect, test } from "vitest";
import { compareStanding } from "./ecmascript-stands-model.ts";

test("what is said to stand as JavaScript prints it is printed so, of 30,000 generated values", () => {
  expect(compareStanding(Number(process.env.SEED ?? 1), 30_000)).toBeUndefined();
});
