/** What `on_break` does in the real agent. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ChainWriter } from "../../filters/chain/harness.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { toldIn, writeChainConfig } from "./harness/chain.ts";
import { healthOf, ledgersOf, metricOf, stopOf } from "./harness/observe.ts";
import { Workspace } from "./harness/workspace.ts";

const COUNT = 200;

/** A log whose entry 100 was changed. */
function tampered(workspace: Workspace): { live: string; lines: string[]; writer: ChainWriter } {
  mkdirSync(workspace.path("logs"));
  const live = workspace.path("logs/audit.jsonl");
  const writer = new ChainWriter();
  const lines = writer.lines(COUNT).map((line, i) => (i === 100 ? line.replace('"x"', '"y"') : line));
  writeFileSync(live, `${lines.join("\n")}\n`);
  return { live, lines, writer };
}

const LOGS = { logs: "logs/*" };
const breaksIn = async (workspace: Workspace) =>
  (await toldIn(workspace)).filter(({ event }) => event === "integrity.chain.broken");

test("alert: health and metrics say so, and everything flows", async () => {
  const workspace = new Workspace();
  const { lines, live } = tampered(workspace);
  const agent = AgentProcess.run(await writeChainConfig(workspace, LOGS));
  await agent.until("the alert", async () => (await breaksIn(workspace)).length > 0);
  expect(await breaksIn(workspace)).toMatchObject([{ kind: "edited_or_removed", line: 101 }]);
  const { components, status } = await healthOf(agent);
  expect(status).toBe("degraded");
  expect(components.find(({ kind }) => kind === "filter")).toMatchObject({
    name: "chain",
    state: "degraded",
    reason: `chain broken in ${live} (edited_or_removed), 1 break`,
  });
  expect(await metricOf(agent, 'audit_agent_chain_breaks_total{filter="chain",kind="edited_or_removed"}')).toBe(1);
  expect(await metricOf(agent, 'audit_agent_chain_verified_entries_total{filter="chain"}')).toBe(COUNT - 1);
  expect(await metricOf(agent, 'audit_agent_chains{filter="chain"}')).toBe(1);
  const ledgers = await stopOf(agent);
  expect(ledgers.archive).toMatchObject({ read: COUNT, delivered: COUNT, created: 0 });
  expect(ledgers.alerts).toMatchObject({ created: 2, delivered: 2 });
  expect(await workspace.allLines("archive")).toEqual(lines);
});

test("annotate: the entry where it shows is marked", async () => {
  const workspace = new Workspace();
  tampered(workspace);
  await runOnce(await writeChainConfig(workspace, { ...LOGS, chain: { on_break: "annotate" }, format: "json" }));
  const marked = (await workspace.allLines("archive")).map((line) => JSON.parse(line).integrity);
  expect(marked.flatMap((mark, i) => (mark === undefined ? [] : [{ i, mark }]))).toEqual([
    { i: 100, mark: { chain: "broken" } },
  ]);
  expect(await breaksIn(workspace)).toHaveLength(1);
});

test("stop: nothing more is read until it is started in another way; --once fails", async () => {
  const workspace = new Workspace();
  const { live, writer } = tampered(workspace);
  const stopping = await writeChainConfig(workspace, { ...LOGS, chain: { on_break: "stop" } });
  let agent = AgentProcess.run(stopping);
  await agent.until("the alert", async () => (await breaksIn(workspace)).length > 0);
  await agent.until("the input to be blocked", async () =>
    (await healthOf(agent)).components.some(({ kind, state }) => kind === "input" && state === "blocked"),
  );
  appendFileSync(live, `${writer.lines(50).join("\n")}\n`);
  const exit = await agent.stop();
  expect(exit.code).toBe(0);
  // A restart is no answer.
  const { code } = await AgentProcess.run(stopping, "--once").exited;
  expect(code).not.toBe(0);
  expect(await workspace.allLines("archive")).toHaveLength(COUNT);
  agent = await runOnce(await writeChainConfig(workspace, LOGS));
  expect(await workspace.allLines("archive")).toHaveLength(COUNT + 50);
  expect(await breaksIn(workspace)).toHaveLength(1);
  expect(ledgersOf(agent).archive).toMatchObject({ read: COUNT + 50, delivered: COUNT + 50, lost: 0 });
});

test("quarantine: what follows is held back until it is released, over restarts", async () => {
  const workspace = new Workspace();
  const { live, lines, writer } = tampered(workspace);
  const chain = { on_break: "quarantine", quarantine: { path: "held" } };
  const config = await writeChainConfig(workspace, { ...LOGS, chain });
  await runOnce(config);
  const held = () => readdirSync(workspace.path("held")).filter((name) => name.endsWith(".jsonl"));
  expect(await workspace.allLines("archive")).toEqual(lines.slice(0, 100));
  expect(await workspace.lines(`held/${held()[0]}`)).toEqual(lines.slice(100));
  expect(statSync(workspace.path("held", held()[0]!)).mode & 0o777).toBe(0o600);

  const more = writer.lines(30);
  appendFileSync(live, `${more.join("\n")}\n`);
  const agent = await runOnce(config);
  expect(await workspace.lines(`held/${held()[0]}`)).toEqual([...lines.slice(100), ...more]);
  expect(ledgersOf(agent).archive).toMatchObject({ read: COUNT + 30, filtered: 130, delivered: 100, lost: 0 });

  const hold = readdirSync(workspace.path("held")).find((name) => name.endsWith(".hold"))!;
  rmSync(workspace.path("held", hold));
  const last = writer.lines(10);
  appendFileSync(live, `${last.join("\n")}\n`);
  await runOnce(config);
  expect(await workspace.allLines("archive")).toEqual([...lines.slice(0, 100), ...last]);
  expect(held()).toMatchObject([expect.stringMatching(/\.released-1\.jsonl$/)]);
  expect(existsSync(workspace.path("held", hold))).toBe(false);
  expect(await breaksIn(workspace)).toHaveLength(1);
});

test("quarantine: killed again and again, each entry is delivered or held, once", async () => {
  const workspace = new Workspace();
  const { live, lines, writer } = tampered(workspace);
  const chain = { on_break: "quarantine", quarantine: { path: "held" } };
  const config = await writeChainConfig(workspace, { ...LOGS, chain });
  const all = [...lines];
  for (let round = 0; round < 5; round++) {
    const agent = AgentProcess.run(config);
    await agent.logged(/reads tail/);
    for (let step = 0; step < 10; step++) {
      const more = writer.lines(20);
      all.push(...more);
      appendFileSync(live, `${more.join("\n")}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await agent.kill();
  }
  await runOnce(config);
  const [held] = readdirSync(workspace.path("held")).filter((name) => name.endsWith(".jsonl"));
  expect([...(await workspace.allLines("archive")), ...(await workspace.lines(`held/${held}`))]).toEqual(all);
}, 60_000);
