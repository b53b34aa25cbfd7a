/** Segments damaged in every way, by many seeds. */
import { randomInt } from "node:crypto";
import { test } from "vitest";
import { backlog, DAMAGES, damageRounds } from "./harness/damage.ts";

test("segments damaged in every way: starts, sets aside, counts, names, delivers the rest", async () => {
  const first = Number(process.env.SEED ?? randomInt(1, 1_000_000));
  process.stdout.write(`  damaged segments, seeds ${first} to ${first + 4}\n`);
  const seeds = Array.from({ length: 5 }, (_, i) => first + i);
  await damageRounds(await backlog(), Object.keys(DAMAGES), seeds);
});
