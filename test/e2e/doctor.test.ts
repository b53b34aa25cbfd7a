/** `audit-agent doctor` on a real agent: while it runs and its destination is away, and on what it leaves behind. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Finding } from "../../agent/commands/doctor/check.ts";
import { AgentProcess } from "./harness/agent.ts";
import { Scene } from "./harness/scene.ts";

interface Answer {
  readonly code: number | null;
  /** By check, as `error: what`. */
  readonly findings: Readonly<Record<string, readonly string[]>>;
}

async function doctor(config: string, ...more: string[]): Promise<Answer> {
  const asked = new AgentProcess(["doctor", "--json", "--config", config, ...more]);
  const { code } = await asked.exited;
  const { checks } = JSON.parse(asked.stdout) as { checks: { check: string; findings: Finding[] }[] };
  const lines = checks.map(({ check, findings }) => [check, findings.map(({ level, what }) => `${level}: ${what}`)]);
  return { code, findings: Object.fromEntries(lines) as Answer["findings"] };
}

test("an outage, seen through the running agent's socket; then what waits for an output that is gone, and damage", async () => {
  const scene = await Scene.start();
  scene.elasticsearch.fail("unauthorized");
  const file = { name: "file", path: "archive/%Y.jsonl" };
  const config = await scene.configure({ outputs: [scene.output({ alias: "es" }), file] });
  const fresh = await doctor(config);
  expect(fresh.findings["queue and chains"]).toEqual(["ok: no agent has run with this data directory yet"]);
  expect(fresh.findings.destinations).toEqual([
    expect.stringMatching(/^error: es would take nothing: HTTP 401/),
    expect.anything(),
  ]);
  expect(fresh.code).toBe(1);

  const agent = AgentProcess.run(config);
  await scene.append("logs/a.jsonl", 50);
  await agent.until("the output to be blocked", () => agent.stderr.includes('"state":"blocked"'));
  const running = await doctor(config);
  expect(running.findings["queue and chains"]).toContainEqual(
    expect.stringMatching(/^warn: output es: blocked since .*HTTP 401/),
  );
  await agent.stop();

  await scene.configure({ outputs: [file] });
  const left = await doctor(config);
  expect(left.findings["queue and chains"]).toEqual([
    expect.stringMatching(/^warn: 50 entries wait for es, which is no output any more$/),
  ]);
  expect({ code: left.code, strict: (await doctor(config, "--strict")).code }).toEqual({ code: 0, strict: 1 });

  const folder = scene.workspace.path("data/queue");
  for (const name of (await readdir(folder)).filter((one) => one.endsWith(".segment"))) await scar(join(folder, name));
  const damaged = await doctor(config);
  expect(damaged.findings["queue and chains"]!.join("\n")).toMatch(/error: .*\.segment: /);
  expect(damaged.code).toBe(1);
});

/** Changes a byte of the entries in a segment, if it has any. */
async function scar(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.indexOf("session.start");
  if (at < 0) return;
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}

test("a configuration that is wrong: every problem, and 2", async () => {
  const scene = await Scene.start();
  const config = await scene.configure({ outputs: [{ name: "nothing" }] });
  const asked = new AgentProcess(["doctor", "--config", config]);
  expect(await asked.exited).toMatchObject({ code: 2 });
  expect(asked.stderr).toContain('no output is called "nothing"');
  const usage = new AgentProcess(["doctor", "--config", config, "--framework", "none"]);
  expect(await usage.exited).toMatchObject({ code: 2 });
  expect(usage.stderr).toContain("Allowed choices are soc2, hipaa, pci_dss");
});
