import { describe, test } from "vitest";
import { Driver, STYLES } from "./driver.ts";

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.ROUNDS ?? 10);

describe.each(STYLES)(
  "rotation %s, with stops and kills between any two questions: every line once, in order",
  (style) => {
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      test(`seed ${seed}`, async () => {
        await new Driver(seed, style).run(60);
      });
    }
  },
);

test.each([112, 505, 521])(
  "a file that is read on while another is compared with it is still itself: seed %i",
  async (seed) => {
    await new Driver(seed, "numbered").run(60);
  },
);
