import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RecordBatch, SpanFlag } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { InputContext } from "../../agent/api/context.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { agentAudit } from "./index.ts";

const entry = (action: string, rest: object) => JSON.stringify({ timestamp: "2026-02-12T18:30:00Z", action, ...rest });
const WRITTEN =
  '{"timestamp": "2026-02-12T18:30:00Z", "action": "session_start", "description": "Session started", "details": "prd=./prd.md,provider=claude", "iteration": 0, "pid": 4242}';
const DOCUMENTED = entry("file_write", { agent: "builder", details: { path: "src/é.ts", bytes: 1.0 } });
const UNKNOWN = entry("moon_landing", { details: "a=1,a=2,=,", iteration: 12345678901234567890n.toString() });

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "agent-audit-"));
  file = join(dir, "agent-audit.jsonl");
});
afterEach(() => rm(dir, { recursive: true }));

function context(positions: ReadonlyMap<string, string> = new Map()): InputContext {
  const emit = () => {};
  const common = { alias: "agent_audit", node: "n", version: "0", tag: "audit.agent", dataDirId: "d" };
  return { ...common, clock: systemClock, emit, positions, once: true };
}

async function collect(from = context()): Promise<RecordBatch[]> {
  const input = await agentAudit.create(agentAudit.options.parse({ path: file }), from);
  const batches: RecordBatch[] = [];
  for await (const batch of input.read()) batches.push(batch);
  await input.close();
  return batches;
}
const texts = (batches: RecordBatch[]) =>
  batches.flatMap((batch) => Array.from({ length: batch.count }, (_, i) => batch.bytes(i).toString()));

describe("agent_audit", () => {
  test("its example and its defaults are valid; the log is where the agents write it; it has no parser", () => {
    const options = agentAudit.options.parse(agentAudit.example);
    expect(agentAudit.options.parse({})).toEqual(options);
    expect(options).toMatchObject({ path: [".loki/logs/agent-audit.jsonl"] });
    expect(agentAudit.check!(options).errors).toEqual([]);
    expect(agentAudit.options.safeParse({ parser: "none" }).success).toBe(false);
  });

  test("both shapes and unknown actions pass byte for byte, in the order of the file", async () => {
    const lines = [WRITTEN, DOCUMENTED, UNKNOWN, entry("git_commit", {})];
    await writeFile(file, lines.map((line) => `${line}\n`).join(""));
    const batches = await collect();
    expect(texts(batches)).toEqual(lines);
    expect(batches[0]).toMatchObject({ tag: "audit.agent", source: { input: "agent_audit", path: file } });
  });

  test("lines that ran into one are one record, which is no JSON object; its neighbours are whole", async () => {
    const glued = WRITTEN + DOCUMENTED;
    const torn = `${WRITTEN.slice(0, 40)}${DOCUMENTED}`;
    await writeFile(file, [WRITTEN, glued, torn, DOCUMENTED, ""].join("\n"));
    const batches = (await collect()).filter((batch) => batch.count > 0);
    expect(texts(batches)).toEqual([WRITTEN, glued, torn, DOCUMENTED]);
    const flags = batches.flatMap((batch) => [...new Scanner([]).spans(batch).rowFlags.subarray(0, batch.count)]);
    expect(flags).toEqual([0, SpanFlag.notObject, SpanFlag.notObject, 0]);
  });

  test("goes on where it stopped", async () => {
    await writeFile(file, `${WRITTEN}\n${DOCUMENTED}\n`);
    const first = await collect();
    const positions = new Map(
      first.flatMap((b) => b.positions).flatMap(({ key, value }) => (value ? [[key, value] as const] : [])),
    );
    await appendFile(file, `${UNKNOWN}\n`);
    const second = await collect(context(positions));
    expect(texts(second)).toEqual([UNKNOWN]);
    const ids = [...first, ...second].flatMap((b) => Array.from({ length: b.count }, (_, i) => b.id(i)));
    expect(new Set(ids).size).toBe(3);
  });

  test("several processes append at once: every line arrives once", async () => {
    const lines = Array.from({ length: 300 }, (_, i) => entry("cli_invoke", { details: `n=${i}`, pid: i % 7 }));
    await Promise.all(lines.map((line) => appendFile(file, `${line}\n`)));
    expect(texts(await collect()).sort()).toEqual([...lines].sort());
  });
});
