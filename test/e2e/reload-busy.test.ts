/** Reload after reload while a chained log is written and rotated, an output is down now and then, and everything is exchanged in turn. */
import { appendFile, mkdir, rename } from "node:fs/promises";
import { expect, test } from "vitest";
import type { ReloadReport } from "../../agent/api/operate.ts";
import { entryAfter, GENESIS, hashIn } from "../fakes/chain-writer.ts";
import { seeded } from "../fakes/random.ts";
import { AgentProcess } from "./harness/agent.ts";
import { expectExactlyOnce } from "./harness/compare.ts";
import { ask, stopOf, viewOf } from "./harness/observe.ts";
import { linesOf, Scene } from "./harness/scene.ts";

const seed = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.ROUNDS ?? 24);

const hashOf = (line: string) => (JSON.parse(line) as { _integrity_hash: string })._integrity_hash;

test("nothing is lost, nothing comes twice, and the chain never looks broken", { timeout: 120_000 }, async () => {
  process.stdout.write(`  reload while busy: ${ROUNDS} rounds, seed ${seed}\n`);
  const random = seeded(seed);
  const chance = (share: number) => random() < share;
  const scene = await Scene.start();
  const configure = () =>
    scene.configure({
      input: { rotate_wait: "200ms", ...(chance(0.5) ? { max_line_bytes: "1MiB" } : { max_line_bytes: "2MiB" }) },
      filters: [
        { name: "chain", match: "audit", ...(chance(0.5) ? { on_break: "annotate" } : {}) },
        ...(chance(0.5) ? [{ name: "metadata", match: "nothing", add: { a: "b" } }] : []),
      ],
      outputs: [
        scene.output({ alias: "main", match: "audit", batch: { linger: chance(0.5) ? "5ms" : "20ms" } }),
        ...(chance(0.5) ? [{ name: "file", alias: "archive", match: "audit", path: "archive/%Y.jsonl" }] : []),
        { name: "file", alias: "alerts", match: ["audit.integrity", "audit.operator"], path: "alerts.jsonl" },
      ],
    });
  const agent = AgentProcess.run(await configure());
  await agent.logged(/reads tail and writes to/);
  await mkdir(scene.workspace.path("logs"), { recursive: true });
  const path = scene.workspace.path("logs/a.jsonl");
  const lines: string[] = [];
  let tip = GENESIS["loki-dashboard"];
  let writing = true;
  const writer = (async () => {
    for (let turn = 0; writing; turn++) {
      const more = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
        const { line, hash } = entryAfter("loki-dashboard", tip, lines.length);
        tip = hash;
        lines.push(line);
        return line;
      });
      await appendFile(path, `${more.join("\n")}\n`);
      if (turn % 40 === 39) await rename(path, scene.workspace.path(`logs/a-${String(turn).padStart(6, "0")}.jsonl`));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await configure();
      const down = chance(0.2);
      if (down) scene.elasticsearch.fail("unavailable");
      const report = (await (await ask(agent, "/api/reload", { unprobed: true })).json()) as ReloadReport;
      expect(report, JSON.stringify(report)).toMatchObject({ applied: true, problems: [] });
      if (down) scene.elasticsearch.heal();
    }
  } finally {
    writing = false;
    await writer;
  }
  await agent.until("all lines", () => scene.elasticsearch.documents.length >= lines.length, 30_000);
  expectExactlyOnce("elasticsearch", lines.map(hashIn), linesOf(scene.elasticsearch).map(hashOf));
  const { filters, problems } = await viewOf(agent);
  expect(problems).toEqual([]);
  expect(filters.find(({ alias }) => alias === "chain")!.chains).toMatchObject({ count: 1, breaks: 0 });
  expect(await stopOf(agent)).toMatchObject({ main: { lost: 0, queued: 0, rejected: 0 } });
  const alerts = await scene.workspace.lines("alerts.jsonl");
  const events = alerts.map((line) => JSON.parse(line) as { event: string; entries_verified?: number });
  expect(events.filter(({ event }) => event === "agent.operator.reload")).toHaveLength(ROUNDS);
  expect(events.filter(({ event }) => /chain\.(?!started|verified)/.test(event))).toEqual([]);
});
