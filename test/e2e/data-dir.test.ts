import { expect, test } from "vitest";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { Workspace } from "./harness/workspace.ts";

const CONFIG = `service: { data_dir: data, log_format: json }
pipeline:
  inputs:
    - { name: tail, tag: audit, path: logs/*.jsonl }
  outputs:
    - { name: file, match: '*', path: archive/audit.jsonl, format: original }
`;

test("two agents on one data directory: the second says so and ends with 2, the first goes on", async () => {
  const workspace = new Workspace();
  const config = await workspace.write("pipeline.yaml", CONFIG);
  await workspace.write("logs/a.jsonl", '{"event":"session.start"}\n');
  const first = AgentProcess.run(config);
  await first.until("the first entry", async () => (await workspace.allLines("archive")).length === 1);
  const second = AgentProcess.run(config);
  expect((await second.exited).code).toBe(2);
  expect(second.stderr).toContain(workspace.path("data"));
  expect(second.stderr.trim().split("\n")).toHaveLength(1);
  await workspace.write("logs/b.jsonl", '{"event":"session.stop"}\n');
  await first.until("the second entry", async () => (await workspace.allLines("archive")).length === 2);
  expect((await first.stop()).code).toBe(0);
});

test("after kill -9 the data directory is free again", async () => {
  const workspace = new Workspace();
  const config = await workspace.write("pipeline.yaml", CONFIG);
  await workspace.write("logs/a.jsonl", '{"event":"session.start"}\n');
  const first = AgentProcess.run(config);
  await first.until("the first entry", async () => (await workspace.allLines("archive")).length === 1);
  await first.kill();
  const second = AgentProcess.run(config, "--once");
  expect((await second.exited).code).toBe(0);
  expect(await workspace.allLines("archive")).toHaveLength(1);
});

test("run --once again with nothing new: ends, and ships nothing twice", async () => {
  const workspace = new Workspace();
  const config = await workspace.write("pipeline.yaml", CONFIG);
  await workspace.write("logs/a.jsonl", '{"event":"session.start"}\n');
  for (let i = 0; i < 3; i++) await runOnce(config);
  expect(await workspace.allLines("archive")).toHaveLength(1);
});
