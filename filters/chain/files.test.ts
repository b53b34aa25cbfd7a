/** A chain over several files, in whatever order they come, and what became of their history. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { SCHEME_NAMES } from "../../agent/integrity/scheme.ts";
import { seeded } from "../../test/fakes/random.ts";
import { ChainBench, ChainWriter, linesFile, type TestFile } from "./harness.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "audit-agent-chain-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Files of one chain, on disk, the oldest first. */
function rotated(scheme: (typeof SCHEME_NAMES)[number], count: number, directory = folder()): TestFile[] {
  const writer = new ChainWriter(scheme);
  return Array.from({ length: count }, (_, i) => {
    const file = linesFile(join(directory, `audit-2026-02-0${i + 1}.jsonl`), writer.lines(20 + 7 * i));
    writeFileSync(file.path, `${file.lines.join("\n")}\n`);
    return file;
  });
}

describe.each(SCHEME_NAMES)("%s", (scheme) => {
  test("files in any order, once all are there, are no break and no restart", () => {
    const random = seeded(7);
    for (let round = 0; round < 30; round++) {
      const files = rotated(scheme, 5);
      const bench = new ChainBench();
      const order = round === 0 ? files.toReversed() : files.toSorted(() => random() - 0.5);
      for (const file of order) {
        const half = Math.floor(random() * file.lines.length);
        bench.read(file, 0, half);
        if (random() < 0.5) bench.start();
        bench.tick();
        bench.read(file, half);
      }
      bench.end();
      expect(bench.told.filter(({ kind }) => kind !== undefined)).toEqual([]);
      expect(bench.of("started")).toHaveLength(1);
      expect(bench.of("verified").at(-1)).toMatchObject({ breaks: 0 });
    }
  });

  test("a live file goes on after the others came late", () => {
    const files = rotated(scheme, 3);
    const bench = new ChainBench();
    const live = files[2]!;
    bench.read(live, 0, 10);
    bench.read(files[1]!);
    bench.read(files[0]!);
    bench.read(live, 10);
    bench.end();
    expect(bench.told.filter(({ kind }) => kind !== undefined)).toEqual([]);
  });

  test("a file that is missing is told at once, where no other explains it", () => {
    const files = rotated(scheme, 3);
    const bench = new ChainBench();
    rmSync(files[1]!.path);
    bench.read(files[0]!);
    bench.read(files[2]!);
    bench.end();
    // No gap in the numbers is evidence of its own.
    const kind = { "loki-dashboard": "edited_or_removed", "loki-agent": "missing_file", app: "missing_file" }[scheme];
    expect(bench.breaks).toMatchObject([{ kind, file: files[2]!.path, line: 1, offset: 0 }]);
  });

  test("a file that is there and does not come is waited for, and then told", () => {
    const files = rotated(scheme, 3);
    const bench = new ChainBench({ wait_for_file: "1m" });
    bench.read(files[0]!);
    bench.read(files[2]!);
    for (let i = 0; i < 50; i++) bench.tick();
    expect(bench.breaks).toEqual([]);
    bench.start();
    for (let i = 0; i < 20; i++) bench.tick();
    expect(bench.breaks).toHaveLength(1);
    bench.read(files[1]!);
    bench.end();
    expect(bench.breaks).toHaveLength(1);
  });

  test("an entry that is changed in files out of order is told once, where it is", () => {
    const files = rotated(scheme, 4);
    const [, second] = files as [TestFile, TestFile];
    const lines = [...second.lines];
    lines[5] = lines[5]!.replace('"x"', '"y"');
    const changed = linesFile(second.path, lines);
    writeFileSync(second.path, `${lines.join("\n")}\n`);
    const bench = new ChainBench();
    for (const file of [files[3]!, files[2]!, changed, files[0]!]) bench.read(file);
    bench.end();
    expect(bench.breaks).toMatchObject([{ file: second.path, line: 6, offset: changed.offsets[5] }]);
  });
});

describe("history", () => {
  function shipped(): { bench: ChainBench; live: TestFile; directory: string; writer: ChainWriter } {
    const directory = folder();
    const writer = new ChainWriter("loki-agent");
    const live = linesFile(join(directory, "audit.jsonl"), writer.lines(100));
    const bench = new ChainBench();
    bench.read(live);
    bench.tick();
    return { bench, live, directory, writer };
  }

  test("cut short: one alert, and what is read again is none", () => {
    const { bench, live } = shipped();
    const shorter = linesFile(live.path, live.lines.slice(0, 60));
    bench.read(shorter, 0, 30, { id: "next", history: "truncated" });
    bench.read(shorter, 30, 60, { id: "next", history: "truncated" });
    bench.end();
    expect(bench.told.filter(({ kind }) => kind !== undefined)).toMatchObject([
      { event: "integrity.chain.broken", kind: "truncated", level: "error", offset: 0, file: live.path },
    ]);
  });

  test("cut short, and read line by line", () => {
    const { bench, live } = shipped();
    const shorter = linesFile(live.path, live.lines.slice(0, 10));
    for (let i = 0; i < 10; i++) {
      bench.read(shorter, i, i + 1, { id: "next", history: "truncated" });
      if (i % 3 === 0) bench.start();
      if (i % 4 === 0) bench.tick();
    }
    bench.end();
    expect(bench.told.filter(({ kind }) => kind !== undefined)).toMatchObject([{ kind: "truncated" }]);
  });

  test("replaced by other content: one alert, and one for each edit in it", () => {
    const { bench, live } = shipped();
    const lines = [...live.lines];
    lines[50] = lines[50]!.replace('"x"', '"z"');
    bench.read(linesFile(live.path, lines), 0, undefined, { id: "next", history: "rolled_back" });
    bench.end();
    expect(bench.breaks.map(({ kind }) => kind)).toEqual(["rolled_back", "edited"]);
  });

  test.each(["plain", "gzip"])("copied and emptied (%s copy) is a rotation", (how) => {
    const { bench, live, directory, writer } = shipped();
    const text = `${live.lines.join("\n")}\n`;
    if (how === "plain") writeFileSync(join(directory, "audit.jsonl.1"), text);
    else writeFileSync(join(directory, "audit.jsonl.1.gz"), gzipSync(text));
    bench.read(linesFile(live.path, writer.lines(10)), 0, undefined, { id: "next", history: "truncated" });
    bench.end();
    expect(bench.breaks).toEqual([]);
  });

  test("an older rotated file is no copy of what was cut", () => {
    const { bench, live, directory, writer } = shipped();
    writeFileSync(join(directory, "audit.jsonl.1"), `${live.lines.join("\n")}\n`);
    const next = linesFile(live.path, writer.lines(50));
    bench.read(next, 0, undefined, { id: "second" });
    bench.read(linesFile(live.path, next.lines.slice(0, 20)), 0, undefined, { id: "third", history: "truncated" });
    bench.end();
    expect(bench.breaks.map(({ kind }) => kind)).toEqual(["truncated"]);
  });
});
