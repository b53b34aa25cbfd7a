import { describe, test } from "vitest";
import { Driver } from "./driver.ts";

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.ROUNDS ?? 12);

describe("rotation of every kind, with stops and kills: every line once, in order", () => {
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
    test(`seed ${seed}`, async () => {
      await new Driver(seed).run(60);
    });
  }
});
