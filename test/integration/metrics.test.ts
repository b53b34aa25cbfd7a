/** What /metrics says, by Prometheus's own linter: `PROMTOOL`, or `promtool` on the PATH (Debian's package `prometheus` has it). */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { COUNTERS, type CounterName, Counters } from "../../agent/telemetry/counters.ts";
import { GAUGES, PROCESS } from "../../agent/telemetry/gauges.ts";
import { output, pipeline, setUp } from "../../agent/telemetry/harness.ts";
import { HISTOGRAMS, type HistogramName, Histograms } from "../../agent/telemetry/histograms.ts";
import { Metrics } from "../../agent/telemetry/metrics.ts";
import { METRICS_PREFIX } from "../../agent/telemetry/names.ts";
import { AgentProcess } from "../e2e/harness/agent.ts";
import { addressOf, stopOf } from "../e2e/harness/observe.ts";
import { Scene } from "../e2e/harness/scene.ts";

const promtool = process.env.PROMTOOL ?? "promtool";
const there = spawnSync(promtool, ["--version"]).status === 0;

test("a real promtool is there", (context) => {
  if (there) return;
  const reason = `${promtool} cannot be run (set PROMTOOL), so /metrics was not shown to it`;
  if (process.env.REQUIRE_SERVICES === "1") throw new Error(`${reason}, and REQUIRE_SERVICES=1`);
  process.stderr.write(`\n*** SKIPPED: ${reason} ***\n`);
  context.skip(reason);
});

function complaints(metrics: string): string {
  const { status, stdout, stderr } = spawnSync(promtool, ["check", "metrics"], { input: metrics, encoding: "utf8" });
  return status === 0 && stdout + stderr === "" ? "" : `exit code ${status}: ${stdout}${stderr}`;
}

test.runIf(there)("it has nothing to say of any metric there is", async () => {
  const counters = new Counters();
  const histograms = new Histograms();
  for (const name of Object.keys(COUNTERS) as CounterName[]) {
    const [a, b] = COUNTERS[name].labels.map(() => 'an "alias" \\ of\ntwo lines');
    counters.add(name, 1, a, b);
  }
  for (const name of Object.keys(HISTOGRAMS) as HistogramName[]) histograms.observe(name, 3, "es");
  const { telemetry } = setUp({ level: "silent" });
  const file = { path: "/var/log/a.jsonl", size: 9, offset: 3, bytes: 6, ms: 1500, deleted: false };
  const lag = { followed: 1, bytes: 6, ms: 1500, files: [file] };
  const status = pipeline({
    inputs: [{ ...pipeline().inputs[0]!, lag }],
    filters: [
      {
        ...output(),
        alias: "chain",
        chains: { count: 2, verified: 3, breaks: 0, groups: () => [] },
      },
    ],
    orphans: [{ alias: "old", records: 1, bytes: 2 }],
  });
  telemetry.observe(() => status);
  const text = await new Metrics().text(counters, histograms, { status, health: telemetry.health(), version: "1.2.3" });
  const every = [
    ...Object.keys(COUNTERS).map((name) => `${METRICS_PREFIX}${name}_total`),
    ...Object.keys(GAUGES).map((name) => METRICS_PREFIX + name),
    ...Object.keys(HISTOGRAMS).map((name) => `${METRICS_PREFIX}${name}_bucket`),
    ...Object.keys(PROCESS),
  ];
  const silent = every.filter(
    (name) => !text.split("\n").some((line) => /[ {]/.test(line[name.length] ?? "") && line.startsWith(name)),
  );
  expect(silent).toEqual([]);
  expect(complaints(text)).toBe("");
  expect(complaints(`${text}# TYPE audit_agent_ms gauge\naudit_agent_ms{output="es"} 1\n`)).toContain("audit_agent_ms");
});

test.runIf(there)("nor of what a running agent tells", async () => {
  const scene = await Scene.start();
  await scene.append("logs/a.jsonl", 50);
  const agent = AgentProcess.run(await scene.configure());
  await scene.allArrive(agent);
  const text = await (await fetch(`${await addressOf(agent)}/metrics`)).text();
  expect(text).toMatch(/^audit_agent_write_records_sum\{output="elasticsearch"\} 50$/m);
  expect(complaints(text)).toBe("");
  await stopOf(agent);
});
