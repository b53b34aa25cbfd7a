import { randomInt } from "node:crypto";
import { test } from "vitest";
import { killRounds } from "./harness/kill-rounds.ts";

test("kill -9 at 300 random moments: every finished line arrives exactly once", async () => {
  await killRounds(300, Number(process.env.SEED ?? randomInt(1, 2 ** 31)), {
    linesPerSecond: 500,
    shiftMs: 3000,
    dayMs: 10_000,
  });
});
