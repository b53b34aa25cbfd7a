import { test } from "vitest";
import { Driver } from "./driver.ts";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const ROUNDS = Number(process.env.ROUNDS ?? 400);

test(`rotation of every kind, with stops and kills, ${ROUNDS} times from seed ${SEED}`, async () => {
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
    try {
      await new Driver(seed).run(80);
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error });
    }
  }
});
