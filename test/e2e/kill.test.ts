import { test } from "vitest";
import { killRounds } from "./harness/kill-rounds.ts";

test("kill -9 at 20 random moments while files grow and rotate: every finished line arrives exactly once", async () => {
  await killRounds(20, Number(process.env.SEED ?? 1));
}, 240_000);
