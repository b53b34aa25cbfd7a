/** What a destination quotes of an entry stays in the dead letter. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { ask, stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";

/** As Elasticsearch 9.5 answers. */
const refusal = (index: string, value: string) => ({
  create: {
    _index: index,
    status: 400,
    error: {
      type: "document_parsing_exception",
      reason: `[1:57] failed to parse field [count] of type [long] in document with id 'abc-1-'. Preview of field's value: '${value}'`,
      caused_by: { type: "illegal_argument_exception", reason: `For input string: "${value}"` },
    },
  },
});

test.each([
  ["one entry that does not fit", 2],
  ["a mapping that nothing fits", 200],
])("%s: neither log nor health nor metrics show what it held", async (_, count) => {
  const scene = await Scene.start();
  const secret = "hunter2 is mine";
  const refused = Array.from({ length: count }, () => refusal("audit", secret));
  const stored = { create: { status: 201 } };
  const items = count === 2 ? [stored, refused[0]!] : refused;
  const answer = { status: 200, text: JSON.stringify({ errors: true, items }) };
  scene.elasticsearch.answerBulk(...Array.from({ length: count === 2 ? 1 : 100 }, () => answer));
  const config = await scene.configure({ service: { log_level: "debug" } });
  await scene.append("logs/a.jsonl", count);
  const agent = AgentProcess.run(config);
  await agent.logged(/failed to parse field \[count\] of type \[long\]/);
  for (const path of ["/health", "/metrics", "/api/pipeline"]) {
    const text = await (await ask(agent, path)).text();
    expect(text).not.toContain("hunter2");
    if (path === "/health" && count > 2) expect(text).toContain("failed to parse field [count]");
  }
  await stopOf(agent);
  expect(agent.stderr).not.toContain("hunter2");
  if (count > 2) return;
  const kept = scene.workspace.path("data/dead-letters");
  expect(
    readdirSync(kept)
      .map((name) => readFileSync(`${kept}/${name}`, "utf8"))
      .join(""),
  ).toContain(secret);
});
