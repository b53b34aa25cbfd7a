/** Hash chains over files that lie in another order than they were written in, were cut, or exchanged. */
import { appendFileSync, copyFileSync, cpSync, mkdirSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import { ChainWriter } from "../../filters/chain/harness.ts";
import { byAge, CHAINS, corpusCases } from "../oracle/cases.ts";
import { walk } from "../oracle/walk.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { toldIn, writeChainConfig } from "./harness/chain.ts";
import { Workspace } from "./harness/workspace.ts";

const ROTATED = corpusCases().find(({ case: name }) => name === "dashboard-rotated")!;

/** Modification times in seconds, by the place of a file in the order of writing. */
test.each([
  ["in order", (i: number) => 1e9 + 60 * i],
  ["all equal", () => 1e9],
  ["reversed", (i: number) => 1e9 - 60 * i],
  ["shuffled", (i: number) => 1e9 + 60 * ((i * 5) % 9)],
])("modification times %s: no break in flight, and the archive holds it all", async (_, time) => {
  const workspace = new Workspace();
  cpSync(join(CHAINS, ROTATED.case), workspace.path("logs"), { recursive: true });
  ROTATED.files_oldest_first.forEach((name, i) => {
    utimesSync(workspace.path("logs", name), time(i), time(i));
  });
  await runOnce(await writeChainConfig(workspace, { logs: "logs/*" }));
  const told = await toldIn(workspace);
  expect(told.filter(({ kind }) => kind !== undefined)).toEqual([]);
  expect(told.filter(({ event }) => event === "integrity.chain.started")).toHaveLength(1);
  expect(told.at(-1)).toMatchObject({ event: "integrity.chain.verified", breaks: 0 });
  // Sorted by the writers' order again, nothing is missing.
  const files = byAge(workspace.path("logs")).map((file) => ({
    ...file,
    at: ROTATED.files_oldest_first.indexOf(file.name),
  }));
  const answer = walk(
    schemeOf(ROTATED.scheme),
    files.sort((a, b) => a.at - b.at),
  );
  expect(answer.valid).toBe(true);
});

test("cut short while the agent runs, copied and emptied, exchanged while it is down", async () => {
  const workspace = new Workspace();
  const config = await writeChainConfig(workspace, { logs: "logs/audit.jsonl", chain: { verified_every: "0" } });
  mkdirSync(workspace.path("logs"));
  const live = workspace.path("logs/audit.jsonl");
  const writer = new ChainWriter("loki-agent");
  const lines = writer.lines(100);
  writeFileSync(live, `${lines.join("\n")}\n`);
  const breaks = async () => (await toldIn(workspace)).filter(({ event }) => event === "integrity.chain.broken");
  const archived = async (count: number) => (await workspace.allLines("archive")).length >= count;

  let agent = AgentProcess.run(config);
  await agent.until("what was written", () => archived(100));
  // A rotation: the copy lies where no input reads.
  copyFileSync(live, workspace.path("logs/audit.jsonl.1"));
  truncateSync(live, 0);
  const after = writer.lines(100);
  appendFileSync(live, `${after.join("\n")}\n`);
  await agent.until("what came after the rotation", () => archived(200));
  await agent.until("the log to say so", () => /was truncated/.test(agent.stderr));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await breaks()).toEqual([]);

  // The last entries are taken away.
  const rest = `${after.slice(0, 50).join("\n")}\n`;
  truncateSync(live, Buffer.byteLength(rest));
  await agent.until("the alert", async () => (await breaks()).length > 0);
  expect(await breaks()).toMatchObject([{ kind: "truncated", file: live, offset: 0, line: 1 }]);
  await agent.stop();

  // It is written anew from its middle on, and every hash with it: by itself this chain is intact.
  const forger = new ChainWriter("loki-agent");
  forger.lines(100);
  writeFileSync(live, `${[...forger.lines(30), ...forger.lines(70, "forged")].join("\n")}\n`);
  agent = AgentProcess.run(config);
  await agent.until("the alerts", async () => (await breaks()).length >= 2);
  await agent.stop();
  expect((await breaks()).map(({ kind, line }) => ({ kind, line }))).toEqual([
    { kind: "truncated", line: 1 },
    { kind: "rolled_back", line: 1 },
  ]);
}, 60_000);
