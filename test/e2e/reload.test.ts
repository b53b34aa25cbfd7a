/** A configuration that changes under a running agent. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import type { ReloadReport } from "../../agent/api/operate.ts";
import { FakeElasticsearch } from "../fakes/elasticsearch.ts";
import { AgentProcess } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { ask, healthOf, logOf, stopOf, viewOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

async function second(): Promise<FakeElasticsearch> {
  const other = await FakeElasticsearch.start();
  onTestFinished(() => other.stop());
  return other;
}

async function reload(agent: AgentProcess, body: object = {}): Promise<ReloadReport> {
  return (await (await ask(agent, "/api/reload", body)).json()) as ReloadReport;
}

const user = (other: FakeElasticsearch) => linesOf(other).filter((line) => !line.includes("agent.operator"));

test("an output more, another input, and the first output never noticed", async () => {
  const scene = await Scene.start();
  const other = await second();
  const main = scene.output({ alias: "main" });
  await scene.append("logs/a.jsonl", 100);
  const agent = AgentProcess.run(await scene.configure({ outputs: [main] }));
  await scene.allArrive(agent);
  const { since } = (await viewOf(agent)).outputs[0]!;
  await scene.configure({ outputs: [main, scene.output({ alias: "second", url: other.url })] });
  const report = await reload(agent);
  expect(report).toMatchObject({
    applied: true,
    changes: [{ kind: "output", name: "second", change: "added" }],
    problems: [],
    by: "token (http 127.0.0.1)",
  });
  const fresh = await scene.append("logs/a.jsonl", 50);
  await agent.until(
    "the new ones in both",
    () => user(other).length === 50 && scene.elasticsearch.documents.length >= 151,
  );
  expectExactlyOnce("second", fresh, user(other));
  const view = await viewOf(agent);
  expect(view.outputs.map(({ alias }) => alias)).toEqual(["main", "second"]);
  expect(view.outputs[0]!.since).toBe(since);
  expect(view.last_reload).toMatchObject({ applied: true, kept: report.kept });
  expect(view.problems).toEqual([]);
  expectExactlyOnce("main", scene.written, user(scene.elasticsearch));
  // Who did it is itself on record, at the destination.
  const told = scene.elasticsearch.documents.map(
    ({ source }) => JSON.parse(source) as { event?: string; actor?: string },
  );
  expect(told.filter(({ event }) => event === "agent.operator.reload")).toMatchObject([{ actor: "token" }]);
  expect(await stopOf(agent)).toMatchObject({ main: { read: 150, created: 1, queued: 0, lost: 0 } });
});

test("what is wrong changes nothing: a mistake in the file, a part that cannot be made, a destination that is not there", async () => {
  const scene = await Scene.start();
  const main = scene.output({ alias: "main" });
  const config = await scene.configure({ outputs: [main] });
  const good = readFileSync(config, "utf8");
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  expect((await viewOf(agent)).last_reload).toBeNull();
  writeFileSync(config, good.replace("elasticsearch", "elastisearch"));
  const mistake = await reload(agent);
  expect(mistake).toMatchObject({ applied: false, changes: [] });
  expect(mistake.problems.join()).toContain('did you mean "elasticsearch"?');
  writeFileSync(config, "{");
  expect((await reload(agent)).applied).toBe(false);
  await scene.configure({ outputs: [main, scene.output({ alias: "gone", url: "http://127.0.0.1:1" })] });
  const unreachable = await reload(agent);
  expect(unreachable).toMatchObject({ applied: false, changes: [{ name: "gone", change: "added" }] });
  expect(unreachable.problems.join()).toMatch(/output gone: .*(refused|unreachable|ECONNREFUSED)/i);
  expect((await viewOf(agent)).outputs.map(({ alias }) => alias)).toEqual(["main"]);
  await scene.append("logs/a.jsonl", 20);
  await agent.until("the entries", () => user(scene.elasticsearch).length === 20);
  // Whoever knows better says so.
  expect(await reload(agent, { unprobed: true })).toMatchObject({ applied: true });
  expect((await viewOf(agent)).outputs.map(({ alias }) => alias)).toEqual(["main", "gone"]);
  expect(logOf(agent, "reload").map(({ applied }) => applied)).toEqual([false, false, false, true]);
  await agent.kill();
});

test("an output whose destination is wrong is set right while its backlog waits, and its alias keeps its place", async () => {
  const scene = await Scene.start();
  const other = await second();
  const main = scene.output({ alias: "main" });
  const at = (url: string) => scene.configure({ outputs: [main, scene.output({ alias: "second", url })] });
  await scene.append("logs/a.jsonl", 100);
  const agent = AgentProcess.run(await at("http://127.0.0.1:1"));
  await agent.until("the first output to have all", () => user(scene.elasticsearch).length === 100);
  await agent.until("the second to be known as down", async () => (await healthOf(agent)).status === "degraded");
  await at(other.url);
  agent.reload();
  await agent.until("the backlog", () => user(other).length === 100);
  expectExactlyOnce("second", scene.written, user(other));
  await agent.until("health", async () => (await healthOf(agent)).status === "ok");
  expect(await stopOf(agent)).toMatchObject({ second: { read: 100, delivered: 101, lost: 0, queued: 0 } });
});

test("a filter is exchanged between two batches, and an output that goes leaves its backlog behind", async () => {
  const scene = await Scene.start();
  const other = await second();
  other.fail("unavailable");
  const main = scene.output({ alias: "main" });
  const outputs = [main, scene.output({ alias: "second", url: other.url })];
  const agent = AgentProcess.run(await scene.configure({ outputs }));
  await scene.append("logs/a.jsonl", 30);
  await agent.until("the first ones", () => user(scene.elasticsearch).length === 30);
  const filters = [{ name: "metadata", match: "*", add: { added: "later" } }];
  await scene.configure({ outputs: [main], filters });
  expect(await reload(agent)).toMatchObject({
    applied: true,
    changes: [
      { kind: "filter", name: "metadata", change: "added" },
      { kind: "output", name: "second", change: "removed" },
    ],
  });
  await scene.append("logs/a.jsonl", 10);
  await agent.until("the others", () => user(scene.elasticsearch).length === 40);
  const added = scene.elasticsearch.documents.filter(({ source }) => source.includes('"added":"later"'));
  expect(added.length).toBeGreaterThanOrEqual(10);
  // It goes on to grow, and is shown to: with the record of the reload.
  await agent.until("the backlog", async () => (await viewOf(agent)).orphans[0]!.records === 41);
  const dropped = await ask(agent, "/api/orphans/second/drop", {});
  expect(await dropped.json()).toMatchObject({ alias: "second", records: 41 });
  expect((await viewOf(agent)).orphans).toEqual([]);
  await stopOf(agent);
});

test("watch_config: a change of the file is enough", async () => {
  const scene = await Scene.start();
  const other = await second();
  const main = scene.output({ alias: "main" });
  const service = { watch_config: true };
  const agent = AgentProcess.run(await scene.configure({ service, outputs: [main] }));
  await agent.logged(/reads tail and writes to/);
  await scene.configure({ service, outputs: [main, scene.output({ alias: "second", url: other.url })] });
  await agent.logged(/reload by watch_config \(file\): output second added/);
  await stopOf(agent);
});
