import { expect, test } from "vitest";
import { compare } from "./python-writer-model.ts";

test("the fast writer prints what the plain one does, on 10,000 generated and spoilt entries", () => {
  expect(compare(Number(process.env.SEED ?? 1), 10_000)).toBeUndefined();
});
