/** A writer's daily rotation and its rotation by size within the glob at 10 MB/s: nothing lost, nothing twice, and in order. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { healthOf, logOf, stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";
import { startWriter } from "./harness/writer.ts";

const SECONDS = 15;

function idOf(line: string): { log: string; n: number } {
  const { id } = JSON.parse(line) as { id: string };
  const at = id.lastIndexOf("-");
  return { log: id.slice(0, at), n: Number(id.slice(at + 1)) };
}

test("rotation at 10 MB/s, by day, by size within the glob and by renaming", async () => {
  const scene = await Scene.start();
  const archive = { name: "file", match: "*", path: "archive/audit.jsonl", format: "original" };
  const input = { path: ["logs/dashboard/audit-*.jsonl", "logs/app/app.jsonl*"] };
  const agent = AgentProcess.run(await scene.configure({ input, outputs: [archive] }));
  const seed = Number(process.env.SEED ?? 3);
  const from = performance.now();
  // Lines of about 250 bytes, two logs: 10 MB/s where the machine has a core to spare.
  const writer = startWriter(scene.workspace, {
    seed,
    linesPerSecond: 40_000,
    rotateBytes: 5_000_000,
    shiftMs: 500,
    dayMs: 4000,
  });
  await delay(SECONDS * 1000);
  await writer.stop();
  const seconds = (performance.now() - from) / 1000;
  const written = await writer.journal();
  const bytes = written.reduce((sum, line) => sum + line.length + 1, 0);
  process.stdout.write(
    `  rotation, seed ${seed}: ${(bytes / 1e6 / seconds).toFixed(1)} MB/s, ${written.length} lines\n`,
  );
  await agent.until(
    "all of it in the archive",
    async () => {
      const { ledger } = (await healthOf(agent)).outputs[0]!;
      return ledger.delivered >= written.length;
    },
    120_000,
  );
  expect(logOf(agent, "lost")).toEqual([]);
  expect(await stopOf(agent)).toMatchObject({
    file: { read: written.length, delivered: written.length, lost: 0, rejected: 0, queued: 0 },
  });
  const archived = await scene.workspace.lines("archive/audit.jsonl");
  expectExactlyOnce("archive", written, archived);
  const next = new Map<string, number>();
  for (const line of archived) {
    const { log, n } = idOf(line);
    if ((next.get(log) ?? 0) !== n) throw new Error(`${log}: ${n} after ${next.get(log)}`);
    next.set(log, n + 1);
  }
  expect([...next.keys()].sort()).toEqual(["app", "dashboard"]);
});
