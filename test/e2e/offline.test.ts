/** What an operator does while no agent runs is an audit entry too: the next start delivers it. */
import { expect, test } from "vitest";
import type { LettersView } from "../../agent/api/operate.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { ask } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";

async function command(...args: string[]): Promise<void> {
  const asked = new AgentProcess(args, { SUDO_USER: "ann" });
  expect(await asked.exited, asked.stderr).toMatchObject({ code: 0 });
}

test("queue drop, queue repair and dead-letters discard, with who, from where, what and how many", async () => {
  const scene = await Scene.start({ refuse: "poison" });
  const file = { name: "file", path: "archive/%Y.jsonl" };
  const config = await scene.configure({ outputs: [scene.output({ alias: "es" }), file] });
  const agent = AgentProcess.run(config);
  scene.elasticsearch.fail("refused");
  await scene.append("logs/a.jsonl", 9);
  await scene.append("logs/a.jsonl", 1, "poison");
  await agent.until(
    "a dead letter",
    async () => ((await (await ask(agent, "/api/dead-letters")).json()) as LettersView).total === 1,
  );
  scene.elasticsearch.fail("unavailable");
  await scene.append("logs/a.jsonl", 5);
  await agent.until("the archive", async () => (await scene.workspace.allLines("archive")).length === 15);
  await agent.stop();

  await scene.configure({ outputs: [file] });
  await command("queue", "drop", "es", "--config", config);
  await command("queue", "repair", "--config", config);
  await command("dead-letters", "discard", "--all", "--yes", "--config", config);

  const again = await runOnce(config);
  const told = (await scene.workspace.allLines("archive"))
    .map((line) => JSON.parse(line) as { event: string })
    .filter(({ event }) => event.startsWith("agent.operator."));
  const by = { level: "info", actor: expect.stringMatching(/^ann \(sudo /), source: "command" };
  expect(told).toEqual([
    expect.objectContaining({
      ...by,
      event: "agent.operator.orphan.drop",
      details: { output: "es", records: 5, bytes: expect.any(Number) },
    }),
    expect.objectContaining({ ...by, event: "agent.operator.queue.repair", details: { parts: 0, what: [] } }),
    expect.objectContaining({
      ...by,
      event: "agent.operator.dead_letters.discard",
      details: { all: true, records: 1 },
    }),
  ]);
  expect(again.stderr).toMatch(
    /file: read 15 \+ created 3 = filtered 0 \+ delivered 18 \+ rejected 0 \+ lost 0 \+ queued 0"/,
  );
});
