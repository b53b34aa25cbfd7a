/** `audit-agent top` on a real agent: what it shows and does, without a terminal and with one that is looked at from inside. */
import { expect, test } from "vitest";
import type { Key, Screen } from "../../agent/commands/screen.ts";
import { top } from "../../agent/commands/top.ts";
import { Written } from "../fakes/command.ts";
import { AgentProcess } from "./harness/agent.ts";
import { Scene } from "./harness/scene.ts";

class SeenScreen implements Screen {
  lines: readonly string[] = [];
  closed = false;
  columns = 100;
  #key: (key: Key) => void = () => {};
  #resize: () => void = () => {};

  size() {
    return { columns: this.columns, rows: 24 };
  }
  onKey(listener: (key: Key) => void): void {
    this.#key = listener;
  }
  onResize(listener: () => void): void {
    this.#resize = listener;
  }
  draw(lines: readonly string[]): void {
    this.lines = lines;
  }
  close(): void {
    this.closed = true;
  }

  get text(): string {
    return this.lines.join("\n");
  }
  press(...keys: Key[]): void {
    for (const key of keys) this.#key(key);
  }
  resize(columns: number): void {
    this.columns = columns;
    this.#resize();
  }
}

test("shows what flows, pauses and resumes, shows dead letters, outlives the agent, and ends with q", async () => {
  const scene = await Scene.start({ refuse: "poison" });
  const outputs = [scene.output({ alias: "es" }), { name: "file", path: "archive/%Y.jsonl" }];
  const config = await scene.configure({ outputs });
  const agent = AgentProcess.run(config);
  await scene.append("logs/a.jsonl", 100);
  await agent.until("all of it", () => scene.elasticsearch.documents.length === 100);
  const screen = new SeenScreen();
  const said = new Written();
  const ended = top({ config }, { ...said.context, screen: () => screen });
  const shows = (pattern: RegExp) => agent.until(`the screen to show ${pattern}`, () => pattern.test(screen.text));
  await shows(/▸ es +ok .* 100 /);

  screen.press("p");
  expect(screen.lines.at(-1)).toMatch(/^Pause es\? .* y yes/);
  screen.press("n");
  screen.press("p", "y");
  await shows(/▸ es +paused/);
  expect(screen.text).toMatch(/^DEGRADED/);
  screen.press("p", "y");
  await shows(/▸ es +ok/);

  scene.elasticsearch.fail("refused");
  // Alone a refusal might be everybody's: of all in one write it is the operator's to mend.
  await scene.append("logs/a.jsonl", 9);
  await scene.append("logs/a.jsonl", 1, "poison");
  await shows(/1 dead letter/);
  screen.press("d");
  await shows(/1 dead letters? of es, oldest first/);
  await shows(/failed to parse field/);
  screen.press("escape", "down");
  await shows(/▸ file +ok/);
  screen.resize(60);
  expect(screen.lines.every((line) => line.length <= 60)).toBe(true);

  await agent.stop();
  await expect.poll(() => screen.text, { timeout: 10_000 }).toMatch(/^GONE[\s\S]*Nothing is heard of the agent/);
  screen.press("q");
  expect(await ended).toBe(0);
  expect(screen.closed).toBe(true);
});

test("no terminal: the status once, 0; no agent: 3, and nothing is drawn", async () => {
  const scene = await Scene.start();
  const config = await scene.configure();
  const none = new Written();
  const screen = () => expect.fail("nothing is to be drawn");
  expect(await top({ config }, { ...none.context, screen })).toBe(3);
  expect(none.err).toContain("no agent runs");
  const agent = AgentProcess.run(config);
  await agent.logged(/reads tail and writes to/);
  const asked = new AgentProcess(["top", "--config", config]);
  expect(await asked.exited).toMatchObject({ code: 0 });
  expect(asked.stdout).toMatch(/^OK {2}audit-agent /);
  expect(asked.stderr).toContain("This is no terminal");
});
