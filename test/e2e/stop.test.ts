/** How an agent ends: what was written before the signal is delivered, the time it takes is bounded, the next start ships only what is new. */
import { spawn } from "node:child_process";
import { appendFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { ledgersOf, stopOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

test("SIGTERM: lines written just before it are delivered, and the next start ships only what is new", async () => {
  const scene = await Scene.start();
  const config = await scene.configure();
  await scene.append("logs/a.jsonl", 10);
  for (let round = 1; round <= 3; round++) {
    const agent = AgentProcess.run(config);
    await agent.until("what is there", () => scene.elasticsearch.documents.length === scene.written.length);
    const bulks = scene.elasticsearch.requests.filter(({ path }) => path.endsWith("/_bulk")).length;
    await scene.append("logs/a.jsonl", 500);
    await scene.append(`logs/new-${round}.jsonl`, 500);
    const total = scene.written.length;
    expect(await stopOf(agent)).toMatchObject({
      elasticsearch: { read: total, delivered: total, lost: 0, rejected: 0, queued: 0 },
    });
    scene.expectAll();
    expect(scene.elasticsearch.requests.filter(({ path }) => path.endsWith("/_bulk")).length).toBeGreaterThan(bulks);
    await scene.append("logs/a.jsonl", 10);
  }
  const agent = await runOnce(config);
  expect(ledgersOf(agent)).toMatchObject({ elasticsearch: { read: 3040, delivered: 3040, queued: 0 } });
  scene.expectAll();
  // Nothing was sent again that the ids had to absorb.
  const sent = scene.elasticsearch.requests
    .filter(({ path }) => path.endsWith("/_bulk"))
    .reduce((sum, { body }) => sum + body.toString().split("\n").length - 1, 0);
  expect(sent).toBe(2 * 3040);
});

test("SIGTERM at once after the start", async () => {
  const scene = await Scene.start();
  const config = await scene.configure();
  await scene.append("logs/a.jsonl", 1000);
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 1000, delivered: 1000, queued: 0 } });
  scene.expectAll();
});

test.each(["hang", "unavailable"] as const)(
  "SIGTERM while the destination is %s: ends within the shutdown_timeout, what is left is sent at the next start",
  async (mode) => {
    const scene = await Scene.start();
    scene.elasticsearch.fail(mode);
    const config = await scene.configure({
      service: { shutdown_timeout: "500ms" },
      outputs: [scene.output({ timeout: "300s", retry: { initial: "30s", max: "60s" } })],
    });
    const agent = AgentProcess.run(config);
    await scene.append("logs/a.jsonl", 100);
    await agent.until("an attempt", () => scene.elasticsearch.requests.length > 0);
    await scene.append("logs/a.jsonl", 100);
    const from = performance.now();
    expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 200, delivered: 0, lost: 0, queued: 200 } });
    // Half a second of shutdown_timeout; without a bound it would be minutes.
    expect(performance.now() - from).toBeLessThan(15_000);
    scene.elasticsearch.heal();
    await scene.append("logs/a.jsonl", 100);
    const next = await runOnce(config);
    expect(ledgersOf(next)).toMatchObject({ elasticsearch: { read: 300, delivered: 300, lost: 0, queued: 0 } });
    scene.expectAll();
  },
);

test("an unfinished last line waits for its newline, over a stop", async () => {
  const scene = await Scene.start();
  const config = await scene.configure();
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  await scene.append("logs/a.jsonl", 5);
  const [half] = scene.lines(1);
  await appendFile(scene.workspace.path("logs/a.jsonl"), half!.slice(0, 20));
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 5, delivered: 5 } });
  await appendFile(scene.workspace.path("logs/a.jsonl"), `${half!.slice(20)}\n`);
  const next = AgentProcess.run(config);
  await scene.allArrive(next);
  expect(await stopOf(next)).toMatchObject({ elasticsearch: { read: 6, delivered: 6 } });
});

const STDIN = { name: "stdin", path: undefined, rotate_wait: undefined };

test("run --once ends at the end of standard input, with a last line that has no newline", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure({ input: STDIN }), "--once");
  const lines = scene.lines(1000);
  agent.stdin.end(lines.join("\n"));
  expect((await agent.exited).code, agent.stderr).toBe(0);
  scene.expectAll();
  expect(ledgersOf(agent)).toMatchObject({ elasticsearch: { read: 1000, delivered: 1000, queued: 0 } });
});

test("standard input and SIGTERM while it stays open: what came is delivered, the agent ends", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure({ input: STDIN }));
  agent.stdin.write(`${scene.lines(100).join("\n")}\n`);
  await scene.allArrive(agent);
  agent.stdin.write(`${scene.lines(100).join("\n")}\n`);
  await agent.until("the second hundred", () => scene.elasticsearch.documents.length === 200);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 200, delivered: 200, queued: 0 } });
  scene.expectAll();
});

test("two runs over standard input: the same line twice is two entries", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ input: STDIN });
  const [line] = scene.lines(1);
  for (let i = 0; i < 2; i++) {
    const agent = AgentProcess.run(config, "--once");
    agent.stdin.end(`${line}\n`);
    expect((await agent.exited).code, agent.stderr).toBe(0);
  }
  expect(linesOf(scene.elasticsearch)).toEqual([line, line]);
});

test("a pipe from a program that is killed: run --once delivers what it wrote", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ input: STDIN });
  const agent = AgentProcess.run(config, "--once");
  const lines = scene.lines(50);
  const program = spawn("sh", ["-c", "cat; printf %s '{\"half'; sleep 100"], { stdio: ["pipe", "pipe", "ignore"] });
  program.stdout!.pipe(agent.stdin);
  program.stdin!.end(`${lines.join("\n")}\n`);
  await agent.until("the whole lines", () => scene.elasticsearch.documents.length === 50);
  program.kill("SIGKILL");
  program.stdout!.destroy();
  agent.stdin.end();
  expect((await agent.exited).code, agent.stderr).toBe(0);
  expect(ledgersOf(agent)).toMatchObject({ elasticsearch: { read: 51, delivered: 51, queued: 0 } });
  expect(scene.elasticsearch.documents.at(-1)!.source).toContain("parse_error");
});
