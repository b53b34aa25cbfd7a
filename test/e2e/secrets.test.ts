/** A secret that is renewed while the agent runs: it counts from the next request on, without a restart. */
import { appendFile, writeFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { FakeSplunk } from "../fakes/splunk.ts";
import { AgentProcess } from "./harness/agent.ts";
import { stopOf } from "./harness/observe.ts";
import { Workspace } from "./harness/workspace.ts";

test("a token from a file is read again when it is refused, and nothing is lost meanwhile", async () => {
  const workspace = new Workspace();
  const splunk = await FakeSplunk.start({ token: "first-token-5cr3t" });
  onTestFinished(() => splunk.stop());
  const token = await workspace.write("token", "first-token-5cr3t\n");
  const log = await workspace.write("logs/app.jsonl", '{"n":1}\n');
  const outputs = [
    {
      name: "splunk_hec",
      alias: "splunk",
      match: "*",
      url: splunk.url,
      token: `\${file:${token}}`,
      retry: { max: "100ms" },
    },
  ];
  const config = {
    service: { data_dir: workspace.path("data"), log_format: "json", http: { listen: "127.0.0.1:0" } },
    pipeline: { inputs: [{ name: "tail", path: log }], outputs },
  };
  const agent = AgentProcess.run(await workspace.write("pipeline.json", JSON.stringify(config)));
  await agent.until("the first to arrive", () => splunk.events.length === 1);

  splunk.token = "second-token-5cr3t";
  await appendFile(log, '{"n":2}\n');
  await agent.logged(/is blocked: .*check `token`/);
  await writeFile(token, "second-token-5cr3t\n");
  await agent.until("the second to arrive", () => splunk.events.length === 2);
  const ledgers = await stopOf(agent);
  expect(ledgers.splunk).toMatchObject({ delivered: 2, rejected: 0, lost: 0 });
  expect(agent.stderr).not.toContain("5cr3t");
});
