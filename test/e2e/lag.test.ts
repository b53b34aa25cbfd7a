/** How far the reading is behind the writers, as /metrics tells it. */
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { metricOf, stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";

test("with a full queue the lag of each file is told; when all is read there is none", async () => {
  const scene = await Scene.start();
  scene.elasticsearch.fail("unavailable");
  const queue = { max_bytes: "1MiB", segment_bytes: "128KiB", reserve_bytes: "1MiB" };
  const config = await scene.configure({ service: { queue } });
  await scene.append("logs/big.jsonl", 20_000, "x".repeat(100));
  await scene.append("logs/small.jsonl", 5);
  const agent = AgentProcess.run(config);
  const big = `{input="tail",file="${scene.workspace.path("logs/big.jsonl")}"}`;
  await agent.until("the queue to be full", async () => (await metricOf(agent, "audit_agent_queue_full_total")) > 0);
  await agent.until("a lag", async () => (await metricOf(agent, `audit_agent_file_lag_seconds${big}`)) > 1);
  const lag = await metricOf(agent, `audit_agent_file_lag_bytes${big}`);
  expect(lag).toBeGreaterThan(1_000_000);
  expect(await metricOf(agent, 'audit_agent_input_lag_bytes{input="tail"}')).toBeGreaterThanOrEqual(lag);
  expect(await metricOf(agent, 'audit_agent_input_files{input="tail"}')).toBe(2);
  scene.elasticsearch.heal();
  await scene.allArrive(agent);
  for (const metric of ["input_lag_bytes", "input_lag_seconds"]) {
    expect(await metricOf(agent, `audit_agent_${metric}{input="tail"}`)).toBe(0);
  }
  expect(await metricOf(agent, `audit_agent_file_lag_bytes${big}`)).toBe(0);
  expect(await stopOf(agent)).toMatchObject({ elasticsearch: { read: 20_005, delivered: 20_005, lost: 0 } });
});
