/** Outputs that come, go and are renamed between runs while something waits for them: the rules of orphans. */
import { expect, onTestFinished, test } from "vitest";
import { FakeElasticsearch } from "../fakes/elasticsearch.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { healthOf, ledgersOf, logOf, metricOf, stopOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

/** A healthy destination `main`, and a second one with a backlog of 100 under the alias `second`; the agent is stopped. */
async function backlog() {
  const scene = await Scene.start();
  const other = await FakeElasticsearch.start();
  onTestFinished(() => other.stop());
  other.fail("unavailable");
  const main = scene.output({ alias: "main" });
  const second = (alias = "second", more: object = {}) => scene.output({ alias, url: other.url, ...more });
  const service = { shutdown_timeout: "300ms" };
  const configure = (outputs: readonly object[], more: object = {}) =>
    scene.configure({ service: { ...service, ...more }, outputs: outputs as Record<string, unknown>[] });
  await scene.append("logs/a.jsonl", 100);
  const agent = AgentProcess.run(await configure([main, second()]));
  await scene.allArrive(agent);
  expect(await stopOf(agent)).toMatchObject({
    main: { read: 100, delivered: 100, queued: 0 },
    second: { read: 100, delivered: 0, lost: 0, queued: 100 },
  });
  other.heal();
  return { scene, other, main, second, configure };
}

/** Exactly these lines are there, beside what the agent says of its operators. */
function expectLines(other: FakeElasticsearch, lines: readonly string[]): void {
  const own = linesOf(other).filter((line) => !line.includes("agent.operator."));
  expectExactlyOnce("second", lines, own);
}

test("an output that was removed, or disabled: its backlog is kept, shown, and delivered when it comes back", async () => {
  const { scene, other, main, second, configure } = await backlog();
  // A run, a kill and a run: nothing of it is forgotten meanwhile.
  for (const round of [1, 2]) {
    const config = await configure(round === 1 ? [main] : [main, second("second", { enabled: false })]);
    const agent = AgentProcess.run(config);
    await scene.append("logs/a.jsonl", 50);
    await scene.allArrive(agent);
    const health = await healthOf(agent);
    expect(health.orphans).toMatchObject([{ alias: "second", records: 50 + 50 * round }]);
    expect(await metricOf(agent, 'audit_agent_orphan_records{output="second"}')).toBe(50 + 50 * round);
    const [told] = logOf(agent, "orphan");
    expect(told).toMatchObject({ alias: "second", discarded: false });
    expect(told!.msg).toContain("queue drop second");
    if (round === 1) await agent.kill();
    else expect(Object.keys(await stopOf(agent))).toEqual(["main"]);
  }
  expect(other.documents).toEqual([]);
  const back = await runOnce(await configure([main, second()]));
  expect(ledgersOf(back)).toMatchObject({
    main: { read: 200, delivered: 200, queued: 0 },
    second: { read: 200, delivered: 200, lost: 0, queued: 0 },
  });
  expect(logOf(back, "orphan")).toEqual([]);
  expectLines(other, scene.written);
  scene.expectAll();
});

test("renamed: the new alias starts with what comes, the old one is an orphan until `queue drop`", async () => {
  const { scene, other, main, second, configure } = await backlog();
  const config = await configure([main, second("renamed")]);
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  const fresh = await scene.append("logs/a.jsonl", 50);
  await scene.allArrive(agent);
  await agent.until("the new ones", () => other.documents.length === 50);
  expect((await healthOf(agent)).orphans).toMatchObject([{ alias: "second" }]);
  const configured = new AgentProcess(["queue", "drop", "renamed", "--config", config]);
  expect((await configured.exited).code, "not of an output that is configured").not.toBe(0);
  expect(await stopOf(agent)).toMatchObject({
    main: { read: 150, delivered: 150 },
    renamed: { read: 50, delivered: 50, queued: 0 },
  });
  const stopped = new AgentProcess(["queue", "drop", "renamed", "--config", config]);
  expect((await stopped.exited).code, "not of an output that is configured").toBe(2);
  const drop = new AgentProcess(["queue", "drop", "second", "--config", config]);
  expect((await drop.exited).code, drop.stderr).toBe(0);
  expect(drop.stdout).toMatch(/\b1[05]0 entries\b.*second/);
  const again = new AgentProcess(["queue", "drop", "second", "--config", config]);
  expect((await again.exited).code).toBe(2);
  const after = await runOnce(config);
  expect(logOf(after, "orphan")).toEqual([]);
  expectLines(other, fresh);
});

test("`queue drop` beside a running agent: through the agent, which counts it and puts it on record", async () => {
  const { scene, main, configure } = await backlog();
  const config = await configure([main]);
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  const drop = new AgentProcess(["queue", "drop", "second", "--config", config]);
  expect((await drop.exited).code, drop.stderr).toBe(0);
  expect(drop.stdout).toMatch(/\b100 entries\b.*second/);
  expect((await healthOf(agent)).orphans).toEqual([]);
  expect(logOf(agent, "lost")).toMatchObject([{ where: "queue", name: "second", records: 100 }]);
  const isRecord = ({ source }: { readonly source: string }) => source.includes("agent.operator.orphan.drop");
  await agent.until("the record of it", () => scene.elasticsearch.documents.some(isRecord));
  await stopOf(agent);
});

test("orphans: discard gives the backlog up, counted as lost by name; the alias begins anew when it comes back", async () => {
  const { scene, other, main, second, configure } = await backlog();
  const agent = AgentProcess.run(await configure([main], { orphans: "discard" }));
  await scene.append("logs/a.jsonl", 50);
  await scene.allArrive(agent);
  expect(logOf(agent, "orphan")).toMatchObject([{ alias: "second", records: 100, discarded: true }]);
  expect(logOf(agent, "lost")).toMatchObject([{ where: "queue", name: "second", records: 100 }]);
  expect((await healthOf(agent)).orphans).toEqual([]);
  expect(await stopOf(agent)).toMatchObject({ main: { read: 150, delivered: 150, lost: 0 } });
  const back = AgentProcess.run(await configure([main, second()], { orphans: "discard" }));
  await back.logged(/reads tail and writes to/);
  const fresh = await scene.append("logs/a.jsonl", 50);
  await back.until("the new ones", () => other.documents.length === 50);
  expect(await stopOf(back)).toMatchObject({ second: { read: 50, delivered: 50, lost: 0, queued: 0 } });
  expectLines(other, fresh);
});

test("a new output starts with what comes, or with `start: oldest` with what the queue still has", async () => {
  const { scene, other, main, second, configure } = await backlog();
  other.fail("unavailable");
  const oldest = await FakeElasticsearch.start();
  const newest = await FakeElasticsearch.start();
  onTestFinished(() => Promise.all([oldest.stop(), newest.stop()]).then(() => {}));
  const outputs = [
    main,
    second(),
    scene.output({ alias: "oldest", url: oldest.url, queue: { start: "oldest" } }),
    scene.output({ alias: "newest", url: newest.url }),
  ];
  const agent = AgentProcess.run(await configure(outputs));
  await agent.logged(/reads tail and writes to/);
  const fresh = await scene.append("logs/a.jsonl", 50);
  await agent.until("all of it", () => oldest.documents.length === 150 && newest.documents.length === 50);
  await scene.allArrive(agent);
  other.heal();
  await agent.until("the backlog", () => other.documents.length === 150);
  expect(await stopOf(agent)).toMatchObject({
    main: { read: 150, delivered: 150 },
    second: { read: 150, delivered: 150 },
    oldest: { read: 150, delivered: 150, queued: 0 },
    newest: { read: 50, delivered: 50, queued: 0 },
  });
  for (const one of [oldest, other]) expectLines(one, scene.written);
  expectLines(newest, fresh);
});

test("a match that changes between runs: what waits and no longer matches is not sent, and the ledger balances", async () => {
  const { scene, other, main, second, configure } = await backlog();
  const agent = await runOnce(await configure([main, second("second", { match: "other.*" })]));
  expect(ledgersOf(agent)).toMatchObject({ main: { read: 100, delivered: 100 }, second: { delivered: 0, queued: 0 } });
  expect(other.documents).toEqual([]);
  scene.expectAll();
});
