import { expect, test } from "vitest";
import { type RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import { SCHEME_NAMES } from "../../agent/integrity/scheme.ts";
import { linesOf } from "../../test/fakes/batch.ts";
import { ChainBench, ChainWriter, fileOf, linesFile, type TestFile } from "./harness.ts";
import { chain } from "./index.ts";

const PATH = "/nowhere/audit.jsonl";

test.each(SCHEME_NAMES)("%s: an intact chain is started once, and nothing else is said", (scheme) => {
  const bench = new ChainBench();
  const file = linesFile(PATH, new ChainWriter(scheme).lines(300));
  bench.read(file, 0, 100);
  bench.read(file, 100, 300);
  bench.tick();
  expect(bench.told).toHaveLength(1);
  expect(bench.told[0]).toMatchObject({
    event: "integrity.chain.started",
    scheme,
    genesis: true,
    offset: 0,
    file: PATH,
  });
  expect(bench.passed.map(({ count }) => count)).toEqual([100, 200]);
  expect(bench.events).toContainEqual({ is: "chain", filter: "chain", verified: 200, unchained: 0 });
  expect(bench.filter.status!()).toMatchObject({ state: "ok", chains: { count: 1, breaks: 0 } });
});

test("what a break is told with", () => {
  const bench = new ChainBench();
  const writer = new ChainWriter("app");
  const lines = writer.lines(100);
  const right = lines[40]!;
  lines[40] = right.replace('"x"', '"y"');
  const file = linesFile(PATH, lines);
  bench.read(file);
  bench.tick();
  const [alert] = bench.breaks;
  const { hash } = JSON.parse(right) as { hash: string };
  expect(bench.breaks).toHaveLength(1);
  expect(alert).toEqual({
    id: `id-${PATH}-${file.offsets[40]}-chain-broken`,
    timestamp: "2026-02-02T02:40:00.000Z",
    level: "error",
    event: "integrity.chain.broken",
    kind: "edited",
    message: "the entry was changed after it was written",
    scheme: "app",
    group: "/logs/audit.jsonl",
    file: PATH,
    line: null,
    offset: file.offsets[40],
    expected: expect.stringMatching(/^[0-9a-f]{64}$/),
    found: hash,
    entries_verified: 40,
    tip: hash,
  });
  expect(bench.passed[0]!.count).toBe(100);
  expect(bench.filter.status!()).toMatchObject({
    state: "degraded",
    reason: `chain broken in ${PATH} (edited), 1 break`,
  });
  bench.now += 25 * 3_600_000;
  expect(bench.filter.status!()).toMatchObject({ state: "ok", chains: { count: 1, breaks: 1 } });
});

test("a chain that is met in its midst begins there; a file without hashes is none", () => {
  const bench = new ChainBench();
  const writer = new ChainWriter();
  writer.lines(10);
  bench.read(linesFile("/nowhere/old.jsonl", ['{"a":1}', "no json", '{"_integrity_hash":null}']));
  expect(bench.states.size).toBe(0);
  expect(bench.events).toContainEqual({ is: "chain", filter: "chain", verified: 0, unchained: 3 });
  bench.read(linesFile(PATH, ['{"a":1}', ...writer.lines(5)]));
  bench.end();
  expect(bench.told.map(({ event }) => event)).toEqual(["integrity.chain.started", "integrity.chain.verified"]);
  expect(bench.of("started")[0]).toMatchObject({ genesis: false });
});

test("the first entry of all, where it was changed, is told", () => {
  const bench = new ChainBench();
  const writer = new ChainWriter("loki-agent");
  const lines = writer.lines(80);
  lines[0] = lines[0]!.replace('"x"', '"y"');
  bench.read(linesFile(PATH, lines));
  bench.end();
  expect(bench.breaks).toMatchObject([{ kind: "edited", offset: 0 }]);
  expect(bench.of("started")).toHaveLength(1);
});

test("a restart of the writer is a warning, or a break", () => {
  for (const allow of [true, false]) {
    const bench = new ChainBench({ allow_restart: allow });
    const writer = new ChainWriter("app");
    const lines = writer.lines(10);
    writer.restart();
    bench.read(linesFile(PATH, [...lines, ...writer.lines(100)]));
    bench.tick();
    const said = bench.told.filter(({ kind }) => kind === "restarted");
    expect(said).toMatchObject([
      allow
        ? { event: "integrity.chain.restarted", level: "warning" }
        : { event: "integrity.chain.broken", level: "error" },
    ]);
    expect(bench.filter.status!().state).toBe(allow ? "ok" : "degraded");
  }
});

test("a line that travels cut is unverifiable, no tampering, and the chain goes on behind it", () => {
  const bench = new ChainBench();
  const file = linesFile(PATH, new ChainWriter().lines(200));
  const batch = bench.batch(file);
  const flags = new Uint8Array(200);
  flags[50] = RecordFlag.cut;
  bench.process(batch.flagged(flags));
  bench.end();
  expect(bench.breaks).toEqual([]);
  expect(bench.of("unverifiable")).toMatchObject([
    { level: "warning", offset: file.offsets[50], entries_verified: 50 },
  ]);
  expect(bench.filter.status!().state).toBe("ok");
});

test("the verdict waits for the lines that follow, but not for long", () => {
  const bench = new ChainBench();
  const lines = new ChainWriter().lines(20);
  const [a, b] = lines.splice(10, 2) as [string, string];
  const file = linesFile(PATH, [...lines.slice(0, 10), b, a, ...lines.slice(10)]);
  for (let i = 0; i < 11; i++) bench.read(file, i, i + 1);
  bench.tick();
  expect(bench.breaks).toEqual([]);
  // It is known by now what follows.
  bench.read(file, 11, 20);
  bench.tick();
  expect(bench.breaks).toMatchObject([{ kind: "reordered", offset: file.offsets[10] }]);
  expect(bench.passed.flatMap((batch) => linesOf([batch]))).toEqual(file.lines);
  expect(bench.filter.status!().state).toBe("degraded");
});

test("an alert outlives the process that saw it, and is made once", () => {
  const bench = new ChainBench();
  const lines = new ChainWriter("app").lines(100);
  lines[5] = lines[5]!.replace('"x"', '"z"');
  bench.read(linesFile(PATH, lines));
  expect(bench.told).toEqual([]);
  bench.start();
  bench.tick();
  expect(bench.breaks).toHaveLength(1);
  bench.start();
  bench.tick();
  bench.end();
  expect(bench.breaks).toHaveLength(1);
});

test("each chain says how far it is verified, also while nothing comes", () => {
  const bench = new ChainBench({ verified_every: "1m" });
  const file = linesFile(PATH, new ChainWriter().lines(50));
  bench.read(file, 0, 30);
  bench.tick(61_000);
  bench.read(file, 30, 50);
  bench.tick(30_000);
  bench.tick(31_000);
  bench.start();
  bench.tick(61_000);
  expect(bench.of("verified")).toMatchObject([
    { entries: 30, entries_verified: 30, file: PATH },
    { entries: 20, entries_verified: 50 },
    { entries: 0, entries_verified: 50, breaks: 0 },
  ]);
  expect(new Set(bench.told.map(({ id }) => id)).size).toBe(4);
  // A log that nobody writes to any more is not spoken of for ever.
  bench.tick(8 * 86_400_000);
  expect(bench.of("verified")).toHaveLength(3);
});

test("a flood of breaks: each is told, the state stays small", () => {
  const bench = new ChainBench();
  const lines = new ChainWriter("app").lines(2_000).map((line) => line.replace('"x"', '"y"'));
  bench.read(linesFile(PATH, lines));
  bench.end();
  expect(bench.breaks).toHaveLength(2_000);
  expect(bench.states.get("/logs/audit.jsonl")!.length).toBeLessThan(64 * 1024);
});

test("the state is a few KiB, and one that is unreadable is a new beginning", () => {
  const bench = new ChainBench();
  const file = linesFile(PATH, new ChainWriter().lines(1_000));
  bench.read(file, 0, 900);
  bench.tick();
  const state = bench.states.get("/logs/audit.jsonl")!;
  expect(state.length).toBeLessThan(4_096);
  bench.states.set("/logs/audit.jsonl", Uint8Array.of(9, ...state.subarray(1)));
  bench.start();
  bench.read(file, 900);
  bench.end();
  expect(bench.breaks).toEqual([]);
  expect(bench.of("started")).toMatchObject([{ genesis: true }, { genesis: false }]);
});

test("two groups have a chain each", () => {
  const bench = new ChainBench();
  const one = linesFile("/nowhere/a.jsonl", new ChainWriter().lines(50));
  const other = linesFile("/nowhere/b.jsonl", new ChainWriter("app").lines(50));
  for (let i = 0; i < 50; i += 10) {
    bench.read(one, i, i + 10, { group: "a" });
    bench.read(other, i, i + 10, { group: "b" });
  }
  bench.end();
  expect(bench.of("verified")).toMatchObject([
    { group: "a", entries: 50, scheme: "loki-dashboard" },
    { group: "b", entries: 50, scheme: "app" },
  ]);
  expect(bench.breaks).toEqual([]);
});

test("options", () => {
  expect(chain.options.safeParse(chain.example).success).toBe(true);
  expect(chain.options.safeParse({ on_break: "ignore" }).success).toBe(false);
  expect(chain.check!(chain.options.parse({ on_break: "quarantine" })).errors).toHaveLength(1);
  expect(chain.check!(chain.options.parse({ on_break: "quarantine", quarantine: { path: "/q" } })).errors).toEqual([]);
});

test("hashes that are none, and as long as a line can be, are not kept", () => {
  const bench = new ChainBench();
  const lines = new ChainWriter().lines(300);
  const long = "f".repeat(20_000);
  for (let i = 50; i < 250; i++) lines[i] = lines[i]!.replace(/"[0-9a-f]{64}"}$/, `"${long}${i}"}`);
  const file = linesFile(PATH, lines);
  for (let i = 0; i < 300; i += 3) {
    bench.read(file, i, i + 3);
    if (i % 30 === 0) bench.start();
    expect(bench.states.get("/logs/audit.jsonl")!.length).toBeLessThan(64 * 1024);
  }
  bench.end();
  expect(Math.max(...bench.told.map((each) => JSON.stringify(each).length))).toBeLessThan(2_000);
  expect(bench.breaks.length).toBeGreaterThan(1);
});

test("paths as long as they can be, with all that can wait", () => {
  const bench = new ChainBench();
  const path = `/${"p".repeat(4_000)}/audit.jsonl`;
  const lines = new ChainWriter().lines(80, "x".repeat(300));
  const [moved] = lines.splice(10, 1);
  const file = linesFile(path, [...lines.slice(0, 5), moved!, ...lines.slice(5)]);
  for (let i = 0; i < 60; i++) bench.read(file, i, i + 1);
  expect(bench.states.get("/logs/audit.jsonl")!.length).toBeLessThan(64 * 1024);
});

test("another scheme or other names than what is known: a new beginning", () => {
  const states = new ChainBench().states;
  const first = new ChainBench();
  first.read(linesFile(PATH, new ChainWriter("app").lines(100)));
  for (const [group, state] of first.states) states.set(group, state);
  const other = new ChainBench({ scheme: "loki-dashboard" });
  for (const [group, state] of states) other.states.set(group, state);
  other.start();
  other.read(linesFile(PATH, new ChainWriter().lines(100)));
  other.end();
  expect(other.breaks).toEqual([]);
  expect(other.of("started")).toHaveLength(1);
});

test("a blank line inside an agent's log is a break, as it is to its own verifier; at its ends it is none", () => {
  for (const sizes of [1, 7, 300]) {
    const lines = new ChainWriter("loki-agent").lines(200);
    const text = `\n${lines.slice(0, 20).join("\n")}\n\n\r\n${lines.slice(20).join("\r\n")}\n\n`;
    const bench = new ChainBench();
    const file = fileOf(PATH, Buffer.from(text));
    for (let from = 0; from < 200; from += sizes)
      bench.process(chunkOf(bench, text, file, from, Math.min(200, from + sizes)));
    bench.end();
    expect(bench.breaks, `${sizes}`).toMatchObject([
      { kind: "malformed", offset: file.offsets[19]! + lines[19]!.length + 1 },
    ]);
    expect(bench.breaks[0]).toMatchObject({ entries_verified: 20 });
  }
});

/** The records of a file in its own bytes, as an input reads them. */
function chunkOf(bench: ChainBench, text: string, file: TestFile, from: number, to: number): RecordBatch {
  const batch = bench.batch(file, from, to);
  const begin = from === 0 ? 0 : file.offsets[from - 1]! + file.lines[from - 1]!.length + 1;
  for (let i = 0; i < batch.count; i++) {
    batch.starts[i] = file.offsets[from + i]! - begin;
    batch.ends[i] = batch.starts[i]! + file.lines[from + i]!.replace("\r", "").length;
  }
  return Object.assign(batch, { buffer: Buffer.from(text.slice(begin)) });
}

test("a blank line is nothing in the other schemes", () => {
  const lines = new ChainWriter("app").lines(100);
  const text = `${lines.slice(0, 20).join("\n")}\n\n${lines.slice(20).join("\n")}\n`;
  const bench = new ChainBench();
  bench.process(chunkOf(bench, text, fileOf(PATH, Buffer.from(text)), 0, 100));
  bench.end();
  expect(bench.breaks).toEqual([]);
});

test.each(SCHEME_NAMES)("%s: a copy of an entry that changed its place is a break of its own", (scheme) => {
  const lines = new ChainWriter(scheme).lines(200);
  const [a, b] = lines.slice(10, 12) as [string, string];
  lines.splice(10, 2, b, a);
  lines.splice(150, 0, b);
  // Apart, and across a restart.
  const bench = new ChainBench();
  const file = linesFile(PATH, lines);
  bench.read(file, 0, 100);
  bench.tick();
  bench.start();
  bench.read(file, 100);
  bench.end();
  expect(bench.breaks.map(({ offset }) => file.offsets.indexOf(offset))).toEqual([10, 150]);
});
