import { expect, test } from "vitest";
import { compare } from "./python-writer-model.ts";

test("the fast writer prints what the plain one does, on half a million generated and spoilt entries", () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  for (let part = 0; part < 5; part++) expect(compare(seed + part, 100_000), `SEED=${seed + part}`).toBeUndefined();
});
