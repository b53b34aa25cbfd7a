import { test } from "vitest";
import { Driver, STYLES } from "./driver.ts";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const ROUNDS = Number(process.env.ROUNDS ?? 200);

test.each(STYLES)(`rotation %s, ${ROUNDS} times from seed ${SEED}`, async (style) => {
  for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
    try {
      await new Driver(seed, style).run(80);
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error });
    }
  }
});
