/** A queue whose files were damaged while the agent was stopped: it always starts, names and counts what is gone, and delivers the rest. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { backlog, change, damageRounds, recovered } from "./harness/damage.ts";

test("segments damaged: starts, sets aside, counts, names, delivers the rest", async () => {
  const seed = Number(process.env.SEED ?? 1);
  process.stdout.write(`  damaged segments, seed ${seed}\n`);
  await damageRounds(await backlog(), ["bits flipped", "random bytes over a long stretch", "gone"], [seed]);
});

test("cursors damaged: everything the queue has is sent again, which the ids absorb", async () => {
  const scene = await backlog();
  const { received, ledger, agent } = await recovered(scene, "data-cursor", ([first]) => {
    const cursors = join(first!, "../cursors");
    for (const name of readdirSync(cursors)) change(join(cursors, name), (bytes) => bytes.fill(0xff));
  });
  expect(received.length).toBe(2000);
  expect(ledger, agent.stderr).toMatchObject({ delivered: 2000, queued: 0, lost: 0 });
});

test("the whole queue removed by hand: the files are read again, and arrive", async () => {
  const scene = await backlog();
  const { received, ledger } = await recovered(scene, "data-none", ([first]) => {
    rmSync(join(first!, ".."), { recursive: true });
    mkdirSync(join(first!, ".."));
  });
  expect(received.length).toBe(2000);
  expect(ledger).toMatchObject({ read: 2000, delivered: 2000, lost: 0, queued: 0 });
});
