/** A disk that is really full: a small tmpfs. What one fault does at each single write is tested in `agent/queue`. */
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { healthOf, logOf, stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";
import { noMountReason, SmallDisk } from "./harness/small-disk.ts";

const reason = noMountReason();
if (reason !== undefined) process.stderr.write(`NOT RUN: the tests of a full disk; ${reason}\n`);
// In CI a test that does not run is a test that failed.
const disks = test.skipIf(reason !== undefined && !process.env.CI);

const QUEUE = { segment_bytes: "1MiB" };
const KIB = "x".repeat(900);

async function blocked(agent: AgentProcess): Promise<void> {
  const problems = await agent.until("health to say that the disk is full", async () => {
    const { status, problems } = await healthOf(agent);
    return status !== "ok" && problems.some((problem) => /ENOSPC|no space/i.test(problem)) && problems;
  });
  expect(problems.join()).toMatch(/queue/);
  expect(logOf(agent, "disk_error")).toMatchObject([{ level: "error", code: "ENOSPC" }]);
}

async function green(agent: AgentProcess): Promise<void> {
  await agent.until("green health", async () => (await healthOf(agent)).status === "ok", 60_000);
}

disks(
  "an outage fills the disk: inputs wait, it is said, and all goes on by itself once the destination is back",
  async () => {
    const scene = await Scene.start();
    new SmallDisk(scene.workspace, "data", "8m");
    scene.elasticsearch.fail("unavailable");
    const agent = AgentProcess.run(await scene.configure({ service: { shutdown_timeout: "1s", queue: QUEUE } }));
    for (let i = 0; i < 20; i++) await scene.append(`logs/${i}.jsonl`, 1000, KIB);
    await blocked(agent);
    scene.elasticsearch.heal();
    await scene.allArrive(agent, 120_000);
    await green(agent);
    expect(await stopOf(agent)).toMatchObject({
      elasticsearch: { read: 20_000, delivered: 20_000, lost: 0, rejected: 0, queued: 0 },
    });
    scene.expectAll();
  },
);

disks.each([8, 32])("somebody else fills the disk (%i MiB) up to the last byte, and makes room again", async (size) => {
  const scene = await Scene.start();
  const disk = new SmallDisk(scene.workspace, "data", `${size}m`);
  const agent = AgentProcess.run(await scene.configure({ service: { shutdown_timeout: "1s", queue: QUEUE } }));
  await scene.append("logs/a.jsonl", 500, KIB);
  await scene.allArrive(agent);
  for (let round = 0; round < 3; round++) {
    disk.fill();
    // More than the spare segments and the reserve can take.
    for (let i = 0; i < 12; i++) await scene.append("logs/a.jsonl", 1000, KIB);
    // What fits goes through: a full disk stops what would be torn, not what is there.
    await agent.until("ENOSPC or all", async () => {
      if (scene.elasticsearch.documents.length >= scene.written.length) return true;
      return (await healthOf(agent)).problems.some((problem) => /ENOSPC|no space/i.test(problem));
    });
    disk.clear();
    await scene.allArrive(agent, 60_000);
    await green(agent);
  }
  expect(logOf(agent, "disk_error").length).toBeGreaterThan(0);
  expect(logOf(agent, "queue_damaged")).toEqual([]);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 36_500, delivered: 36_500, lost: 0, queued: 0 } });
});

disks(
  "killed on the full disk, and started again on it: it starts, loses nothing, goes on when there is room",
  async () => {
    const scene = await Scene.start();
    const disk = new SmallDisk(scene.workspace, "data", "8m");
    scene.elasticsearch.fail("unavailable");
    const config = await scene.configure({ service: { shutdown_timeout: "1s", queue: QUEUE } });
    const first = AgentProcess.run(config);
    for (let i = 0; i < 10; i++) await scene.append(`logs/${i}.jsonl`, 1000, KIB);
    await blocked(first);
    disk.fill();
    await first.kill();
    for (let round = 0; round < 3; round++) {
      const again = AgentProcess.run(config);
      await again.logged(/"event":"(disk_error|retry)"/);
      await again.kill();
    }
    const stopped = AgentProcess.run(config);
    await stopped.logged(/"event":"(disk_error|retry)"/);
    expect(await stopped.stop(), stopped.stderr).toEqual({ code: 0, signal: null });
    scene.elasticsearch.heal();
    const last = AgentProcess.run(config);
    await last.logged(/reads tail and writes to/);
    disk.clear();
    await scene.allArrive(last, 60_000);
    for (const event of ["queue_damaged", "lost"]) expect(logOf(last, event)).toEqual([]);
    expect(await stopOf(last)).toMatchObject({
      elasticsearch: { read: 10_000, delivered: 10_000, lost: 0, queued: 0 },
    });
  },
);

disks(
  "the archive's disk is full: the output waits and says why, no line is torn, and each is there once",
  async () => {
    const scene = await Scene.start();
    const disk = new SmallDisk(scene.workspace, "archive", "16m");
    disk.fill(2_000_000);
    const file = { name: "file", match: "*", path: "archive/audit.jsonl", format: "original", retry: { max: "200ms" } };
    const config = await scene.configure({ service: { shutdown_timeout: "1s" }, outputs: [file, scene.output()] });
    let agent = AgentProcess.run(config);
    for (let i = 0; i < 6; i++) await scene.append("logs/a.jsonl", 1000, KIB);
    // The other output does not wait.
    await scene.allArrive(agent, 60_000);
    const { problems } = await agent.until("health to say so", async () => {
      const health = await healthOf(agent);
      return health.problems.some((problem) => /ENOSPC|no space/i.test(problem)) && health;
    });
    expect(problems.join()).toContain("output file");
    // Also over a kill in the middle of it.
    await agent.kill();
    agent = AgentProcess.run(config);
    await agent.logged(/ENOSPC/);
    disk.clear();
    await agent.until("the archive", async () => (await scene.workspace.lines("archive/audit.jsonl")).length >= 6000);
    await green(agent);
    const ledger = { read: 6000, delivered: 6000, lost: 0, rejected: 0, queued: 0 };
    expect(await stopOf(agent)).toMatchObject({ file: ledger, elasticsearch: ledger });
    expectExactlyOnce("archive", scene.written, await scene.workspace.lines("archive/audit.jsonl"));
    scene.expectAll();
  },
);
