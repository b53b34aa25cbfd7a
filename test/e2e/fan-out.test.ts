/** One pipeline into all destinations at once: the healthy ones do not wait for the dead and the slow, whose backlog is on disk. */
import { expect, onTestFinished, test } from "vitest";
import { FakeCloudwatch } from "../fakes/cloudwatch.ts";
import { FakeElasticsearch } from "../fakes/elasticsearch.ts";
import { FakeS3 } from "../fakes/s3.ts";
import { FakeSplunk } from "../fakes/splunk.ts";
import { FakeSyslog } from "../fakes/syslog.ts";
import { AgentProcess } from "./harness/agent.ts";
import { healthOf, logOf, stopOf } from "./harness/observe.ts";
import { Workspace } from "./harness/workspace.ts";

const ENTRIES = 20_000;

async function start<T extends { stop(): Promise<void> }>(server: Promise<T>): Promise<T> {
  const started = await server;
  onTestFinished(() => started.stop().catch(() => undefined));
  return started;
}

/** Recent, as CloudWatch Logs wants them. */
function lines(count: number): string[] {
  const now = Date.now();
  return Array.from(
    { length: count },
    (_, n) =>
      `{"timestamp":"${new Date(now - 60_000 + n).toISOString()}","event":"task.done","n":${n},"x":"${"x".repeat(100)}"}`,
  );
}
const numbers = (texts: Iterable<string | Buffer>) =>
  new Set([...texts].map((text) => Number(/"n":(\d+)/.exec(text.toString())?.[1])));
const retry = { initial: "20ms", max: "200ms" };
const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1" };

async function pipeline(
  workspace: Workspace,
  count: number,
  service: object,
  outputs: readonly object[],
): Promise<string> {
  const path = await workspace.write("logs/app.jsonl", `${lines(count).join("\n")}\n`);
  const common = { data_dir: workspace.path("data"), log_format: "json", http: { listen: "127.0.0.1:0" } };
  const inputs = [{ name: "tail", tag: "audit.app", path }];
  const config = {
    service: { ...common, ...service },
    pipeline: { inputs, outputs: outputs.map((output) => ({ match: "*", retry, ...output })) },
  };
  return await workspace.write("pipeline.json", JSON.stringify(config));
}

test("five destinations, one of them dead and one slow", async () => {
  const workspace = new Workspace();
  const elasticsearch = await start(FakeElasticsearch.start());
  const s3 = await start(FakeS3.start("archive"));
  const syslog = await start(FakeSyslog.start({ protocol: "tcp" }));
  const slow = await start(FakeCloudwatch.start());
  const dead = await start(FakeSplunk.start({ token: "t" }));
  await dead.stop();
  slow.delayMs = 300;
  const agent = AgentProcess.run(
    await pipeline(workspace, ENTRIES, {}, [
      { name: "elasticsearch", url: elasticsearch.url, index: "audit" },
      { name: "s3", bucket: "archive", endpoint: s3.url, force_path_style: true, ...keys, upload_timeout: "500ms" },
      { name: "syslog", host: "127.0.0.1", port: syslog.port, protocol: "tcp" },
      { name: "cloudwatch", alias: "slow", endpoint: slow.url, ...keys, log_group: "g", batch: { records: 500 } },
      { name: "splunk_hec", alias: "dead", url: dead.url, token: "t" },
    ]),
  );
  await agent.until("the healthy ones to have everything", () => {
    const has = [elasticsearch.documents.length, s3.lines().length, syslog.messages.length];
    return has.every((count) => count >= ENTRIES);
  });
  expect(slow.events.length).toBeLessThan(ENTRIES);
  expect(dead.events).toEqual([]);
  const { outputs } = await healthOf(agent);
  const backlog = Object.fromEntries(outputs.map(({ name, backlog: { records } }) => [name, records]));
  expect(backlog.dead).toBe(ENTRIES);
  expect(backlog.slow).toBeGreaterThan(0);

  slow.delayMs = 0;
  await dead.restart();
  await agent.until(
    "the others to have everything",
    () => slow.events.length >= ENTRIES && dead.events.length >= ENTRIES,
  );
  const ledgers = await stopOf(agent);
  for (const alias of ["elasticsearch", "s3", "syslog", "slow", "dead"]) {
    expect([alias, ledgers[alias]]).toEqual([
      alias,
      expect.objectContaining({ read: ENTRIES, delivered: ENTRIES, lost: 0 }),
    ]);
  }
  expect(numbers(elasticsearch.documents.map(({ source }) => source)).size).toBe(ENTRIES);
  expect(elasticsearch.documents).toHaveLength(ENTRIES);
  expect(s3.lines()).toHaveLength(ENTRIES);
  expect(numbers(s3.lines()).size).toBe(ENTRIES);
  expect(numbers(syslog.messages).size).toBe(ENTRIES);
  expect(numbers(slow.events.map(({ message }) => message)).size).toBe(ENTRIES);
  expect(numbers(dead.events.map(({ text }) => text)).size).toBe(ENTRIES);
});

test("a dead destination with drop_oldest costs itself records, and nobody else", async () => {
  const workspace = new Workspace();
  const healthy = await start(FakeElasticsearch.start());
  const dead = await start(FakeSplunk.start({ token: "t" }));
  await dead.stop();
  const queue = { max_bytes: "1MiB", segment_bytes: "64KiB" };
  const agent = AgentProcess.run(
    await pipeline(workspace, ENTRIES, { queue }, [
      { name: "elasticsearch", alias: "healthy", url: healthy.url, index: "audit" },
      { name: "splunk_hec", alias: "dead", url: dead.url, token: "t", queue: { on_full: "drop_oldest" } },
    ]),
  );
  await agent.until("the healthy one to have everything", () => healthy.documents.length >= ENTRIES);
  await dead.restart();
  // The newest was not given up.
  await agent.until("the last entry to arrive", () => numbers(dead.events.map(({ text }) => text)).has(ENTRIES - 1));
  const ledgers = await stopOf(agent);
  const { delivered, lost } = ledgers.dead!;
  expect(lost).toBeGreaterThan(0);
  expect(delivered + lost).toBe(ENTRIES);
  expect(ledgers.healthy).toMatchObject({ delivered: ENTRIES, lost: 0 });
  expect(logOf(agent, "lost").length).toBeGreaterThan(0);
});

test("what a dead destination could not take within max_age is given up, and counted", async () => {
  const workspace = new Workspace();
  const healthy = await start(FakeElasticsearch.start());
  const dead = await start(FakeSplunk.start({ token: "t" }));
  await dead.stop();
  const agent = AgentProcess.run(
    await pipeline(workspace, 1_000, {}, [
      { name: "elasticsearch", alias: "healthy", url: healthy.url, index: "audit" },
      { name: "splunk_hec", alias: "dead", url: dead.url, token: "t", queue: { max_age: "300ms" } },
    ]),
  );
  await agent.logged(/lost 1,000 records in output: older than queue\.max_age/);
  const ledgers = await stopOf(agent);
  expect(ledgers.dead).toMatchObject({ delivered: 0, lost: 1_000 });
  expect(ledgers.healthy).toMatchObject({ delivered: 1_000, lost: 0 });
});
