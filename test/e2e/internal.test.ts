/** An outage of one output reaches another as entries. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";

interface Entry {
  readonly event: string;
  readonly level: string;
  readonly name: string;
  readonly message: string;
}

test("an outage and its end are told to the other output, at the default level", async () => {
  const scene = await Scene.start();
  const path = scene.workspace.path("own.jsonl");
  const file = { name: "file", match: "internal", path, batch: { linger: "20ms" } };
  const config = await scene.configure({ outputs: [scene.output({ match: "audit" }), file] });
  const parsed = JSON.parse(readFileSync(config, "utf8"));
  parsed.pipeline.inputs.push({ name: "internal" });
  await scene.workspace.write("pipeline.yaml", JSON.stringify(parsed));
  const entries = () =>
    existsSync(path)
      ? readFileSync(path, "utf8")
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Entry)
      : [];
  const events = () => entries().map(({ event }) => event);

  scene.elasticsearch.fail("unavailable");
  await scene.append("logs/a.jsonl", 5);
  const agent = AgentProcess.run(config);
  await agent.until("the outage to be told", () => events().includes("agent.output.degraded"));
  expect(events()).not.toContain("agent.output.ok");
  scene.elasticsearch.heal();
  await agent.until("its end to be told", () => events().includes("agent.output.ok"), 20_000);
  const of = (event: string) => entries().find((entry) => entry.event === event)!;
  expect(of("agent.output.degraded")).toMatchObject({ level: "warn", name: "elasticsearch", kind: "output" });
  expect(of("agent.output.degraded").message).toContain("output elasticsearch is degraded: ");
  expect(of("agent.output.ok")).toMatchObject({ level: "info", name: "elasticsearch" });
  const ledgers = await stopOf(agent);
  expect(ledgers.file).toMatchObject({ lost: 0, queued: 0, delivered: entries().length });
  await runOnce(config);
});
