/** `audit-agent status` beside the real agent: an outage, its end, and the agent's own. */
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";

async function cli(...args: string[]): Promise<{ code: number | null; out: string }> {
  const command = new AgentProcess(args);
  const { code } = await command.exited;
  return { code, out: command.stdout + command.stderr };
}

test("status sees an outage and its end; without the agent it tells what the data directory says", async () => {
  const scene = await Scene.start();
  const outputs = [scene.output({ alias: "main" })];
  const config = await scene.configure({ service: { http: undefined }, outputs });
  const agent = AgentProcess.run(config);
  await scene.append("logs/a.jsonl", 10);
  await scene.allArrive(agent);
  expect(await cli("status", "-c", config)).toMatchObject({ code: 0, out: expect.stringMatching(/^OK /) });
  scene.elasticsearch.fail("unavailable");
  await scene.append("logs/a.jsonl", 5);
  await agent.until("the outage", async () => (await cli("status", "-c", config)).code === 1);
  const { out } = await cli("status", "-c", config);
  expect(out).toMatch(/^DEGRADED .*\n {2}output main: (degraded|blocked) since .*: .+\n/);
  scene.elasticsearch.heal();
  await agent.until("its end", async () => (await cli("status", "-c", config)).code === 0);
  await scene.allArrive(agent);
  expect(await cli("pause", "main", "-c", config)).toMatchObject({ code: 0 });
  expect((await cli("status", "-c", config)).out).toMatch(/main +paused/);
  expect(await cli("resume", "main", "-c", config)).toMatchObject({ code: 0 });
  await stopOf(agent);
  const stopped = await cli("status", "-c", config);
  expect(stopped).toMatchObject({ code: 3, out: expect.stringMatching(/^NOT RUNNING /) });
  expect(stopped.out).toMatch(/main +0 +- +0 bytes/);
  expect(stopped.out).toMatch(/main +15 +2 +0 +17 +0 +0 +0/);
}, 60_000);
