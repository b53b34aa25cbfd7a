/** A writer that keeps ten files and deletes its oldest while the destination is down. */
import { existsSync, readdirSync, readlinkSync, renameSync, rmSync, utimesSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { healthOf, logOf, metricOf, stopOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

const KEEPS = 10;
const LINES = 100;

/** Whether the process has the file open. Linux only. */
function holds({ pid }: AgentProcess, path: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });
}

/** A small queue, full long before the writer is done. */
async function setUp(reserve: string) {
  const scene = await Scene.start();
  scene.elasticsearch.fail("unavailable");
  const queue = { max_bytes: "256KiB", segment_bytes: "64KiB", reserve_bytes: reserve };
  const config = await scene.configure({
    service: { shutdown_timeout: "300ms", queue },
    input: { path: "logs/app.jsonl*" },
  });
  const live = scene.workspace.path("logs/app.jsonl");
  /** app.jsonl becomes .1, .1 becomes .2, and what would be the eleventh is deleted. */
  const rotate = () => {
    rmSync(`${live}.${KEEPS - 1}`, { force: true });
    for (let n = KEEPS - 2; n >= 1; n--) if (existsSync(`${live}.${n}`)) renameSync(`${live}.${n}`, `${live}.${n + 1}`);
    renameSync(live, `${live}.1`);
  };
  const write = () => scene.append("logs/app.jsonl", LINES, "x".repeat(300));
  return { scene, config, live, rotate, write };
}

/** A running agent whose queue is full, with as many files as the writer keeps. */
async function fullQueue() {
  const { scene, config, live, rotate, write } = await setUp("64KiB");
  for (let i = 0; i < KEEPS; i++) {
    if (i > 0) rotate();
    await write();
    const time = Date.now() / 1000 - 100 + i;
    utimesSync(live, time, time);
  }
  const first = AgentProcess.run(config);
  await first.until("the full queue", () => logOf(first, "queue_full").length > 0);
  return { scene, config, live, rotate, write, first };
}

test.runIf(process.platform === "linux")(
  "everything it discovered is delivered once the destination is back",
  async () => {
    const { scene, config, live, rotate, write } = await setUp("256KiB");
    const agent = AgentProcess.run(config);
    for (let i = 0; i < 30; i++) {
      await write();
      await agent.until(`file ${i} to be held open`, () => holds(agent, live));
      rotate();
    }
    await write();
    await agent.until("the full queue to be said", async () => (await healthOf(agent)).status === "degraded");
    expect(logOf(agent, "queue_full").length).toBeGreaterThan(0);
    scene.elasticsearch.heal();
    await scene.allArrive(agent);
    expect(logOf(agent, "lost")).toEqual([]);
    const { elasticsearch } = await stopOf(agent);
    expect(elasticsearch).toMatchObject({ read: 31 * LINES, delivered: 31 * LINES, lost: 0, rejected: 0, queued: 0 });
  },
);

test.runIf(process.platform === "linux")(
  "killed meanwhile: what is gone is counted as lost with file and range, the rest is delivered",
  async () => {
    const { scene, live, rotate, write, first, config } = await fullQueue();
    await first.until("the newest to be held open", () => holds(first, live));
    await first.kill();
    for (let i = 0; i < KEEPS - 2; i++) {
      rotate();
      await write();
    }
    scene.elasticsearch.heal();
    const second = AgentProcess.run(config);
    const lost = () => logOf(second, "lost");
    const missing = () => {
      const there = new Set(linesOf(scene.elasticsearch));
      return scene.written.filter((line) => !there.has(line));
    };
    const told = () => lost().reduce((sum, { bytes }) => sum + Number(bytes), 0);
    await second.until(
      "everything to be there or said to be lost",
      () => missing().reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0) === told(),
    );
    expect(lost().length, "some of it could not be saved").toBeGreaterThan(0);
    for (const each of lost()) {
      expect(each).toMatchObject({ where: "input", name: "tail", path: expect.stringContaining("app.jsonl") });
      expect(Number(each.to) - Number(each.from)).toBe(each.bytes);
    }
    expect(await metricOf(second, "audit_agent_lost_at_input_bytes")).toBe(told());
    const delivered = scene.written.length - missing().length;
    expect(await stopOf(second)).toMatchObject({ elasticsearch: { read: delivered, delivered, lost: 0, queued: 0 } });
    const [said] = logOf(second, "notice").filter(({ msg }) => String(msg).includes("vanished from files"));
    expect(said, "no ledger has it, so the last word must").toBeDefined();
  },
);

test.runIf(process.platform === "linux")(
  "killed meanwhile: a file that came and went while the queue was full is counted as lost too",
  async () => {
    const { scene, live, first, config } = await fullQueue();
    const stored = () => metricOf(first, "audit_agent_queue_bytes");
    const before = await stored();
    const late = await scene.append("logs/app.jsonl.late", LINES, "x".repeat(300));
    await first.until("it to be held open", () => holds(first, `${live}.late`));
    await first.until("it to be remembered", async () => (await stored()) > before);
    rmSync(`${live}.late`);
    await first.until("its end to be seen", () => logOf(first, "file").some(({ change }) => change === "deleted"));
    await first.kill();
    scene.elasticsearch.heal();
    const second = AgentProcess.run(config);
    await second.until("its loss to be said", () => logOf(second, "lost").length > 0);
    const bytes = Buffer.byteLength(late.join("\n")) + 1;
    expect(logOf(second, "lost")).toMatchObject([{ path: expect.stringContaining("late"), from: 0, to: bytes, bytes }]);
    const kept = KEEPS * LINES;
    await second.until("the rest", () => linesOf(scene.elasticsearch).length === kept);
    expect(await stopOf(second)).toMatchObject({ elasticsearch: { read: kept, delivered: kept, lost: 0, queued: 0 } });
  },
);
