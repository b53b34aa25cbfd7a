import { expect, test } from "vitest";
import { compare } from "./scanner-model.ts";

test("agrees with JSON.parse on a million generated and mutated records", () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  for (let part = 0; part < 10; part++) expect(compare(seed + part, 100_000)).toBeUndefined();
});
