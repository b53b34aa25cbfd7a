/** Logs that somebody wrote to keep a verifier busy, and files that change while they are read. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainOf, entryAfter, GENESIS, hashIn } from "../../../test/fakes/chain-writer.ts";
import { verifyPaths } from "./index.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hostile-test-"));
  path = join(dir, "audit-1.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (lines: readonly string[]) => writeFileSync(path, `${lines.join("\n")}\n`);
const random = (n: number) => entryAfter("loki-dashboard", GENESIS["loki-dashboard"], n, "alone").line;
const SIZES = [10, 333, 5000, 1_000_000];

test("a line that is too long is malformed, is not held in memory, and ends where it ends", async () => {
  const lines = chainOf("loki-dashboard", 20);
  write(lines.toSpliced(7, 0, `{"a": "${"x".repeat(20_000)}"}`));
  const limits = { maxLine: 300, maxSuspects: 100 };
  for (const rangeSize of SIZES) {
    const report = await verifyPaths([path], { limits, rangeSize });
    expect(report).toMatchObject({
      valid: false,
      first_break_kind: "malformed",
      first_tampered_line: 8,
      breaks_total: 1,
      entries: 20,
    });
    expect(report.breaks[0]!.message).toContain("too long");
  }
});

test("of a chain with very many breaks the first are looked at, and the others counted", async () => {
  write([...chainOf("loki-dashboard", 3), ...Array.from({ length: 200 }, (_, i) => (i % 3 === 2 ? "{}" : `${i}`))]);
  const limits = { maxLine: 10_000, maxSuspects: 20 };
  const reports = await Promise.all(SIZES.map((rangeSize) => verifyPaths([path], { limits, rangeSize })));
  // Two numbers, then an object without a hash: 67 runs of the one, 66 of the other.
  for (const report of reports)
    expect(report).toMatchObject({ breaks_total: 133, kinds: { malformed: 10, stripped: 10 } });
  expect(new Set(reports.map((report) => JSON.stringify(report))).size).toBe(1);
});

test("only a hundred breaks are told one by one, or all of them", async () => {
  write(Array.from({ length: 300 }, (_, i) => random(i)));
  const some = await verifyPaths([path]);
  expect(some).toMatchObject({ breaks_total: 299, kinds: { restarted: 299 } });
  expect(some.breaks).toHaveLength(100);
  expect((await verifyPaths([path], { allBreaks: true })).breaks).toHaveLength(299);
});

test("copies are found however many there are", async () => {
  const lines = chainOf("loki-dashboard", 100);
  write([...lines, ...lines.filter((_, i) => i % 2 === 0).flatMap((line) => [line, random(1000)])]);
  const { kinds } = await verifyPaths([path], { allBreaks: true });
  expect(kinds.duplicated).toBeGreaterThan(90);
});

test("a hash in the text of another entry makes no copy of this one", async () => {
  const lines = chainOf("app", 40);
  const stray = (n: number) => entryAfter("app", "0".repeat(64), n, "of another chain");
  const noted = lines.map((_, i) => `{"note": "${stray(i).hash}", "n": ${i}}`);
  const log = [...lines, ...noted, ...lines.map((_, i) => stray(i).line)];
  writeFileSync(path, log.join("\n"));
  expect((await verifyPaths([path], { allBreaks: true })).kinds.duplicated).toBeUndefined();
});

describe("files that change", () => {
  test("the rest of a line that is just being written is waited for", async () => {
    const lines = chainOf("loki-dashboard", 5);
    writeFileSync(path, lines.join("\n").slice(0, -30));
    const checked = verifyPaths([path]);
    await setTimeout(10);
    appendFileSync(path, `${lines[4]!.slice(-30)}\n`);
    expect(await checked).toMatchObject({ valid: true, entries_checked: 5 });
  });

  test("what is appended meanwhile is left for the next time", async () => {
    write(chainOf("loki-dashboard", 50));
    const report = await verifyPaths([path], { rangeSize: 500, progress: () => appendFileSync(path, "x\n") });
    expect(report).toMatchObject({ valid: true, entries_checked: 50 });
  });

  test("a file that became shorter is read again", async () => {
    const lines = chainOf("loki-dashboard", 50);
    write(lines);
    const progress = () => truncateSync(path, `${lines.slice(0, 20).join("\n")}\n`.length);
    expect(await verifyPaths([path], { rangeSize: 500, progress })).toMatchObject({ valid: true, entries_checked: 20 });
  });

  test("a rotation meanwhile: it is looked for again", async () => {
    const lines = chainOf("loki-dashboard", 30);
    write(lines.slice(0, 20));
    const next = join(dir, "audit-2.jsonl");
    writeFileSync(next, `${lines.slice(20).join("\n")}\n`);
    let rotated = false;
    const progress = () => {
      if (!rotated) renameSync(next, join(dir, "audit-2.101500.jsonl"));
      rotated = true;
    };
    const report = await verifyPaths([dir], { rangeSize: 500, progress });
    expect(report).toMatchObject({ valid: true, entries_checked: 30, files_checked: 2 });
  });
});

describe("an end that somebody knows", () => {
  const lines = chainOf("loki-dashboard", 10);
  const hashes = lines.map(hashIn);

  test.each([
    [{ expectEntries: 10 }, true],
    [{ expectEntries: 4 }, true],
    [{ expectEntries: 11 }, false],
    [{ expectTip: hashes[9]! }, true],
    [{ expectTip: hashes[8]! }, false],
    [{ expectTip: hashes[3]!, expectEntries: 4 }, true],
    [{ expectTip: hashes[3]!, expectEntries: 5 }, false],
    [{ expectTip: hashes[9]!, expectEntries: 11 }, false],
  ])("%j: %s", async (expected, valid) => {
    write(lines);
    for (const rangeSize of SIZES) {
      const report = await verifyPaths([path], { ...expected, rangeSize });
      expect(report).toMatchObject({ valid, first_break_kind: valid ? null : "truncated" });
      if (!valid) expect(report).toMatchObject({ first_tampered_line: 10, entries_checked: 10, tip_hash: hashes[9] });
    }
  });

  test("and a beginning", async () => {
    write(lines.slice(4));
    expect(await verifyPaths([path])).toMatchObject({
      valid: false,
      reason: "head_missing",
      tip_hash: GENESIS["loki-dashboard"],
    });
    expect(await verifyPaths([path], { anchor: "first" })).toMatchObject({
      valid: true,
      reason: null,
      entries_checked: 6,
    });
    expect(await verifyPaths([path], { startHash: hashes[3]! })).toMatchObject({ valid: true, reason: null });
    expect(await verifyPaths([path], { startHash: hashes[2]! })).toMatchObject({
      valid: false,
      reason: "edited_or_removed",
      tip_hash: hashes[2],
    });
  });

  test("an anchor that was changed itself", async () => {
    const app = chainOf("app", 6).slice(2);
    writeFileSync(path, app.with(0, app[0]!.replace("paid", "owed")).join("\n"));
    expect(await verifyPaths([path], { anchor: "first" })).toMatchObject({
      valid: false,
      reason: "edited",
      breaks_total: 1,
    });
  });
});
