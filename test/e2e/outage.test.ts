/** A destination that is down, slow, full or wrong: the agent waits, says why, and everything arrives once when it is well again. */
import { appendFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { type FailMode, FakeElasticsearch, type FakeOptions } from "../fakes/elasticsearch.ts";
import { AgentProcess } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { addressOf, ask } from "./harness/observe.ts";
import { Workspace } from "./harness/workspace.ts";

async function setUp(options: FakeOptions = {}) {
  const workspace = new Workspace();
  const elasticsearch = await FakeElasticsearch.start({ retryAfter: "1", ...options });
  onTestFinished(() => elasticsearch.stop().catch(() => {}));
  const log = await workspace.write("logs/audit.jsonl", "");
  const config = await workspace.write(
    "pipeline.yaml",
    `service:
  data_dir: data
  log_format: json
  http: { listen: '127.0.0.1:0' }
pipeline:
  inputs:
    - { name: tail, tag: audit, path: logs/*.jsonl }
  outputs:
    - name: elasticsearch
      match: '*'
      url: ${elasticsearch.url}
      index: audit-%Y.%m.%d
      timeout: 1s
      retry: { initial: 20ms, max: 100ms }
      batch: { linger: 20ms }
`,
  );
  const written: string[] = [];
  const write = async (count: number, text = "") => {
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify({ timestamp: "2026-02-01T10:00:00Z", event: "session.start", id: written.length + i, text }),
    );
    written.push(...lines);
    await appendFile(log, lines.map((line) => `${line}\n`).join(""));
  };
  return { workspace, elasticsearch, config, written, write };
}

type SetUp = Awaited<ReturnType<typeof setUp>>;

async function allArrive(agent: AgentProcess, { elasticsearch, written }: SetUp): Promise<void> {
  await agent.until("everything written to be there", () => elasticsearch.documents.length >= written.length);
  const idOf = (line: string) => String((JSON.parse(line) as { id: number }).id);
  expectExactlyOnce(
    "elasticsearch",
    written.map(idOf),
    elasticsearch.documents.map(({ source }) => idOf(source)),
  );
}

/** Stops it and reads the ledger it leaves. */
async function ledger(agent: AgentProcess): Promise<Record<string, number>> {
  expect(await agent.stop()).toEqual({ code: 0, signal: null });
  const line = agent.stderr.split("\n").findLast((text) => text.includes("= filtered"));
  expect(line, agent.stderr).toBeDefined();
  expect(line).not.toMatch(/unaccounted|counted twice/);
  return Object.fromEntries([...line!.matchAll(/(\w+) (\d+)/g)].map(([, name, n]) => [name, Number(n)]));
}

const MODES: readonly FailMode[] = [
  "unavailable",
  "throttled",
  "hang",
  "drop",
  "silent",
  "busy_items",
  "unauthorized",
  "read_only",
  "login_page",
];

test.each(MODES)("%s in the middle, then well again", async (mode) => {
  const all = await setUp();
  const agent = AgentProcess.run(all.config);
  await all.write(50);
  await allArrive(agent, all);
  all.elasticsearch.fail(mode);
  const before = all.elasticsearch.requests.length;
  await all.write(50);
  // "drop" closes connections before there is a request to count: there, the log tells.
  if (mode === "drop") await agent.logged(/"event":"(retry|component)"/);
  else await agent.until("two attempts", () => all.elasticsearch.requests.length >= before + 2);
  await all.write(50);
  all.elasticsearch.heal();
  await allArrive(agent, all);
  expect(await ledger(agent)).toMatchObject({ read: 150, delivered: 150, lost: 0, rejected: 0, queued: 0 });
});

test("down at the start", async () => {
  const all = await setUp();
  await all.elasticsearch.stop();
  await all.write(100);
  const agent = AgentProcess.run(all.config);
  await agent.logged(/ECONNREFUSED|refused/i);
  await all.elasticsearch.restart().catch(() => {});
  await allArrive(agent, all);
});

test("what is refused for good becomes a dead letter, and the rest goes on", async () => {
  const all = await setUp({ refuse: "poison" });
  all.elasticsearch.fail("refused");
  const agent = AgentProcess.run(all.config);
  await all.write(10);
  await all.write(1, "poison");
  all.written.pop();
  await all.write(10);
  await agent.until("the good ones", () => all.elasticsearch.documents.length === 20);
  expect(await ledger(agent)).toMatchObject({ read: 21, delivered: 20, rejected: 1, lost: 0, queued: 0 });
});

test("health is red and says why while the destination refuses the credentials, and green again after", async () => {
  const all = await setUp();
  all.elasticsearch.fail("unauthorized");
  const agent = AgentProcess.run(all.config);
  const address = await addressOf(agent);
  await all.write(5);
  const red = await agent.until("red health", async () => {
    const answer = await ask(agent, "/health");
    return answer.status === 503 && ((await answer.json()) as { problems: string[] });
  });
  expect(red.problems.join()).toMatch(/401|authenticate|security_exception/);
  expect((await fetch(`${address}/readyz`)).status).toBe(200);
  all.elasticsearch.heal();
  await allArrive(agent, all);
  await agent.until("green health", async () => (await ask(agent, "/health")).status === 200);
  const metrics = await (await fetch(`${address}/metrics`)).text();
  expect(metrics).toContain('audit_agent_delivered_records_total{output="elasticsearch"} 5');
});

test("killed during an outage: what was read before is delivered after", async () => {
  const all = await setUp();
  all.elasticsearch.fail("unavailable");
  const first = AgentProcess.run(all.config);
  await all.write(100);
  await first.logged(/"event":"(retry|component)"[^\n]*503/);
  await first.kill();
  await all.write(100);
  all.elasticsearch.heal();
  const second = AgentProcess.run(all.config);
  await allArrive(second, all);
  expect(await ledger(second)).toMatchObject({ read: 200, delivered: 200, lost: 0 });
});
