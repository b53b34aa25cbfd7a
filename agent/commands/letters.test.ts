/** Dead letters and the queue from the command line: through an agent that stands in, and on disk where none runs. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { filters } from "../../filters/registry.ts";
import { inputs } from "../../inputs/registry.ts";
import { outputs } from "../../outputs/registry.ts";
import { AgentSocket } from "../../test/fakes/agent-socket.ts";
import { Written } from "../../test/fakes/command.ts";
import { systemClock } from "../api/clock.ts";
import { openDeadLetters } from "../queue/dead-letters.ts";
import { segmentNumber } from "../queue/segment.ts";
import { openDataDir } from "../state/data-dir.ts";
import type { CommandContext } from "./context.ts";
import { discardLetters, listDeadLetters, replayLetters, showDeadLetter } from "./dead-letters.ts";
import { dropBacklog, repairQueue } from "./queue.ts";
import { run } from "./run.ts";

let dir: string;
let data: string;
let config: string;
let agent: AgentSocket | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "letters-test-"));
  data = join(dir, "data");
  mkdirSync(data, { mode: 0o700 });
  config = join(dir, "p.yaml");
  configure("main");
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function configure(alias: string): void {
  writeFileSync(
    config,
    `service: { data_dir: data }
pipeline:
  inputs: [{ name: tail, tag: audit, path: logs/*.jsonl }]
  outputs: [{ name: file, alias: ${alias}, match: '*', path: archive/%Y.jsonl }]
`,
  );
}

function commands(input?: Readable): Written & { context: CommandContext } {
  const said = new Written();
  const registries = async () => ({ inputs, filters, outputs });
  return Object.assign(said, { context: { ...said.context, registries, ...(input && { input: () => input }) } });
}

function terminal(answer: string): Readable {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  input.end(answer);
  return input;
}

async function letters(...ids: string[]): Promise<void> {
  const emit = () => {};
  const box = await openDeadLetters({
    ...{ dir: join(data, "dead-letters"), maxBytes: 1e9, maxAge: 1e12, clock: systemClock, emit },
  });
  const one = {
    output: "main",
    time: systemClock.now(),
    reason: "mapping",
    attempts: 1,
    tag: "audit",
    path: "/a",
    offset: 7,
  };
  await box.append(ids.map((id) => ({ ...one, id, original: Buffer.from(`{"n":"${id}\\u001b"}\x1b[2J`) })) as never);
  await box.close();
}

async function left(): Promise<string[]> {
  const said = commands();
  expect(await listDeadLetters(config, said.context)).toBe(0);
  return [...said.out.matchAll(/"id":"(\w+)"/g)].map(([, id]) => id!);
}

test("show: one of them, for people; its bytes move no cursor", async () => {
  await letters("one", "two");
  const said = commands();
  expect(await showDeadLetter({ id: "two", output: undefined }, config, said.context)).toBe(0);
  expect(said.out).toMatch(/id +two\n.*output +main\n.*after 1 attempt\n.*mapping\n.*audit\n.*\/a at 7\n/s);
  expect(said.out).toContain('{"n":"two\\u001b"}\\x1b[2J');
  expect(await showDeadLetter({ id: "two", output: "other" }, config, said.context)).toBe(1);
  expect(said.err).toContain("no dead letter has the id two");
});

test("replay: by the running agent; where none runs it says to start one", async () => {
  await letters("one");
  const alone = commands();
  expect(await replayLetters({ all: true, ids: [] }, config, alone.context)).toBe(3);
  expect(alone.err).toContain("start it, and replay then");
  expect(await left()).toEqual(["one"]);
  agent = await AgentSocket.start(data, { "POST /api/dead-letters/replay": [200, { records: 1, left: 2 }] });
  const said = commands();
  expect(await replayLetters({ output: "main", ids: ["one"] }, config, said.context)).toBe(0);
  expect(agent.asked[0]!.body).toEqual({ output: "main", ids: ["one"] });
  expect(said.out).toBe("1 dead letter put back into the queue, each for its output alone.\n");
  expect(said.err).toBe("2 dead letters left where they are: their output is no longer configured.\n");
});

test("discard on disk: only the chosen, only when it is confirmed, and never beside who holds the directory", async () => {
  await letters("one", "two", "three");
  const chosen = { output: "main", ids: ["one"] };
  const unsaid = commands();
  expect(await discardLetters(chosen, { yes: false }, config, unsaid.context)).toBe(2);
  expect(unsaid.err).toContain("1 dead letter would be gone for good: say --yes");
  for (const answer of ["n\n", "\n", ""]) {
    expect(await discardLetters(chosen, { yes: false }, config, commands(terminal(answer)).context)).toBe(2);
  }
  const holder = await openDataDir(data, { node: "n", clock: systemClock, emit: () => {} });
  expect(await discardLetters(chosen, { yes: true }, config, commands().context)).toBe(1);
  await holder.close();
  expect(await left()).toEqual(["one", "two", "three"]);
  expect(await discardLetters(chosen, { yes: false }, config, commands(terminal("y\n")).context)).toBe(0);
  expect(await left()).toEqual(["two", "three"]);
  const all = commands();
  expect(await discardLetters({ all: true, ids: [] }, { yes: true }, config, all.context)).toBe(0);
  expect(all.out).toBe("2 dead letters discarded.\n");
  expect(await left()).toEqual([]);
});

test("discard and queue drop go through the running agent", async () => {
  agent = await AgentSocket.start(data, {
    "GET /api/dead-letters?limit=1&output=main": [200, { letters: [], next: null, total: 5 }],
    "POST /api/dead-letters/discard": [200, { records: 5, left: 0 }],
    "POST /api/orphans/old/drop": [200, { alias: "old", records: 12, bytes: 2048 }],
    "POST /api/orphans/main/drop": [409, { error: "main is an output" }],
  });
  const said = commands(terminal("yes\n"));
  expect(await discardLetters({ output: "main", ids: [] }, { yes: false }, config, said.context)).toBe(0);
  expect(said.err).toContain("5 dead letters will be gone for good.");
  expect(said.out).toBe("5 dead letters discarded.\n");
  const dropped = commands();
  expect(await dropBacklog("old", config, dropped.context)).toBe(0);
  expect(dropped.out).toBe("Gave up 12 entries (2 KiB) that waited for old.\n");
  expect(await dropBacklog("main", config, dropped.context)).toBe(2);
});

test("queue repair: says that all is whole, or what was cut and what is damaged", async () => {
  mkdirSync(join(dir, "logs"));
  writeFileSync(join(dir, "logs", "a.jsonl"), '{"n":1}\n'.repeat(50));
  expect(await run(config, { once: true }, commands().context)).toBe(0);
  const whole = commands();
  expect(await repairQueue(config, whole.context)).toBe(0);
  expect(whole.out).toMatch(/^Nothing to repair: \d+ segments? with .*, whole\.\n$/);
  const [segment] = readdirSync(join(data, "queue")).filter((name) => segmentNumber(name) !== undefined);
  const path = join(data, "queue", segment!);
  const content = readFileSync(path);
  const used = content.findLastIndex((byte) => byte !== 0) + 1;
  truncateSync(path, used - 5);
  const cut = commands();
  expect(await repairQueue(config, cut.context)).toBe(0);
  expect(cut.out).toMatch(/cut from|is damaged from/);
  expect(cut.out).toContain("The rest can be delivered");
});
