import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ChainBench, ChainWriter, linesFile, type TestFile } from "./harness.ts";
import { decodeState } from "./state.ts";

const HOUR = 3_600_000;

/** 100 entries, of which the one in the middle was edited. */
function broken(path: string): TestFile {
  const lines = new ChainWriter("app").lines(100);
  lines[50] = lines[50]!.replace('"x"', '"y"');
  return linesFile(path, lines);
}
const groupsOf = (bench: ChainBench, limit = 50) => bench.filter.status!().chains!.groups(limit);

test("what is told of a chain; a break shows as long as the filter is degraded by it", () => {
  const bench = new ChainBench();
  const file = broken("/logs/app.jsonl");
  bench.read(file, 0, 50);
  bench.tick();
  const started = bench.now;
  expect(groupsOf(bench)).toMatchObject([{ state: "intact", entries: 50, breaks: 0, last: undefined }]);
  bench.read(file, 50, 100);
  bench.tick();
  const [group] = groupsOf(bench);
  expect(group).toEqual({
    group: "/logs/audit.jsonl",
    scheme: "app",
    state: "broken",
    entries: 99,
    breaks: 1,
    tip: JSON.parse(file.lines[99]!).hash,
    active: started,
    last: {
      kind: "edited",
      words: "the entry was changed after it was written",
      path: "/logs/app.jsonl",
      offset: file.offsets[50],
      at: started,
    },
  });
  bench.now += 23 * HOUR;
  expect([bench.filter.status!().state, groupsOf(bench)[0]!.state]).toEqual(["degraded", "broken"]);
  bench.now += 2 * HOUR;
  expect([bench.filter.status!().state, groupsOf(bench)[0]!.state]).toEqual(["ok", "intact"]);
  expect(bench.filter.status!().chains).toMatchObject({ count: 1, verified: 99, breaks: 1 });
});

test("those with breaks come first, the latest first, then those that were active last", () => {
  const bench = new ChainBench();
  const read = (group: string, file: TestFile) => {
    bench.read(file, 0, 100, { id: `id-${group}`, group });
    bench.tick();
  };
  const intact = () => linesFile("/x.jsonl", new ChainWriter("app").lines(100));
  read("/old-break", broken("/old-break"));
  read("/quiet", intact());
  read("/new-break", broken("/new-break"));
  read("/active", intact());
  expect(groupsOf(bench).map(({ group }) => group)).toEqual(["/new-break", "/old-break", "/active", "/quiet"]);
  expect(groupsOf(bench, 1).map(({ group }) => group)).toEqual(["/new-break"]);
  expect(groupsOf(bench, 0)).toEqual([]);
});

test("stopped and quarantined chains are told as such", () => {
  const stopped = new ChainBench({ on_break: "stop" });
  stopped.read(broken("/logs/app.jsonl"));
  stopped.tick();
  expect(groupsOf(stopped)).toMatchObject([{ state: "stopped", breaks: 1 }]);

  const path = mkdtempSync(join(tmpdir(), "groups-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  const held = new ChainBench({ on_break: "quarantine", quarantine: { path } });
  held.read(broken("/logs/app.jsonl"));
  held.tick();
  expect(groupsOf(held)).toMatchObject([{ state: "quarantined", breaks: 1 }]);
});

test("a break that an older version stored without its offset is told all the same", () => {
  const bench = new ChainBench();
  bench.read(broken("/logs/app.jsonl"));
  bench.tick();
  const [[group, state]] = bench.states as unknown as [[string, Uint8Array]];
  expect(decodeState(state)!.state.last!.offset).toBeGreaterThan(0);
  const bytes = Buffer.from(state);
  const at = bytes.indexOf("{", 2 + bytes[1]! * 32);
  const json = JSON.parse(bytes.toString("utf8", at));
  delete json.last.offset;
  bench.states.set(group, Buffer.concat([bytes.subarray(0, at), Buffer.from(JSON.stringify(json))]));
  bench.start();
  expect(groupsOf(bench)).toMatchObject([{ state: "broken", breaks: 1, last: { kind: "edited", offset: 0 } }]);
});
