/** Two chains checked together: variations of the dashboard's side. */
import { mkdirSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededIntegers } from "../../test/fakes/random.ts";
import {
  answer,
  DAY,
  dashboard,
  day,
  like,
  linesOf,
  project,
  start,
  textOf,
  WITNESS,
  writeDay,
} from "../../test/fakes/unified-project.ts";

describe("the dashboard's chain", () => {
  /** In parts of these lengths, each a file, in the order of the names given. */
  function split(names: readonly string[], lengths: readonly number[]): void {
    const lines = linesOf(day());
    rmSync(join(dashboard, DAY));
    let from = 0;
    for (const [i, name] of names.entries()) {
      const to = i === names.length - 1 ? lines.length : from + lengths[i]!;
      writeDay(name, textOf(lines.slice(from, to)), 1_000_000 + i);
      from = to;
    }
  }

  test("runs on across files in the order of their modification times, and anchors with it", async () => {
    start("intact");
    split(["audit-z.jsonl", "audit-m.jsonl", "audit-a.jsonl"], [39, 1]);
    const found = await answer();
    expect(found).toMatchObject({ ...like(), dashboard: { files_checked: 3, entries_checked: 65 } });
    expect(found.warnings).toEqual([]);
  });

  test("where the times are lost, in the order of the names", async () => {
    start("intact");
    const names = ["audit-2026-11-21.101010.jsonl", "audit-2026-11-21.235959.jsonl", "audit-2026-11-21.jsonl", DAY];
    split(names, [10, 20, 9]);
    for (const [i, name] of names.entries()) utimesSync(join(dashboard, name), 2_000_000 - i, 2_000_000 - i);
    const found = await answer();
    expect(found).toMatchObject(like());
    expect(found.warnings).toEqual([
      "the dashboard's files fit in the order of their names: modification times were lost",
    ]);
    for (const name of names) utimesSync(join(dashboard, name), 5, 5);
    expect((await answer()).warnings).toEqual([]);
  });

  test("files from before there were hashes are skipped, and only those", async () => {
    start("intact");
    split(["audit-1.jsonl", "audit-2.jsonl"], [30]);
    writeDay("audit-0.jsonl", '\n{"action":"login"}\n', 1);
    writeDay("audit-00.jsonl", "", 2);
    writeDay("audit-000.jsonl", "no JSON\n", 3);
    mkdirSync(join(dashboard, "audit-0000.jsonl"));
    utimesSync(join(dashboard, "audit-0000.jsonl"), 4, 4);
    expect(await answer()).toMatchObject({ ...like(), dashboard: { files_skipped: 4, files_checked: 2 } });
    writeDay("audit-15.jsonl", '{"action":"login"}\n', 1_000_000.5);
    const found = await answer();
    expect(found).toMatchObject(like({ valid: false, dashboard_valid: false, anchors_valid: false }));
    expect(found.reasons[0]).toMatch(/audit-15\.jsonl:1: the entry has no hash$/);
  });

  test("a chain that passes for one from before there were hashes is told of", async () => {
    start("agent-truncated");
    rmSync(join(project, WITNESS));
    const lines = linesOf(day());
    writeDay(DAY, textOf(["gone", ...lines.slice(1)]), 1);
    const found = await answer();
    // The reference's answer, and what it does not see.
    expect(found).toMatchObject({ valid: true, dashboard: { files_skipped: 1, entries_checked: 0 } });
    expect(found.warnings.join("\n")).toContain(
      "counts as from before there were hashes, by its first line; but line 2 has one",
    );
  });

  const killers = ["42", "null", "true", "NaN", '["_integrity_hash"]', Buffer.from([0xff])];

  test.each(killers)(
    "a first line that its verifier dies of: not valid, and no anchor is compared (%#)",
    async (line) => {
      start("intact");
      writeDay("audit-0.jsonl", Buffer.concat([Buffer.from(line), Buffer.from("\n")]), 1);
      const found = await answer();
      expect(found).toMatchObject(like({ valid: false, dashboard_valid: false }));
      expect(found.warnings).toEqual([expect.stringContaining("the anchors were not compared")]);
    },
  );

  test.each(["[]", "{", "hello", '["x", 5]', '"x"', "\ufeff{}"])(
    "a first line without a hash: skipped (%j)",
    async (line) => {
      start("intact");
      writeDay("audit-0.jsonl", `${line}\n`, 1);
      expect(await answer()).toMatchObject({ ...like(), dashboard: { files_skipped: 1 } });
    },
  );

  test("a first hash that is null is a wrong one", async () => {
    start("intact");
    writeDay("audit-0.jsonl", '{"_integrity_hash":null}\n', 1);
    expect(await answer()).toMatchObject(like({ valid: false, dashboard_valid: false, anchors_valid: false }));
  });

  test.each([
    ["hello", false],
    ["{}", false],
    ["[]", true],
    ["5", true],
    [Buffer.from([0xc3, 0x28]), true],
  ])("a line inside that is no entry (%#)", async (line, anchors_valid) => {
    start("intact");
    const lines = linesOf(day());
    const parts = [textOf(lines.slice(0, 30)), line, `\n${textOf(lines.slice(30))}`];
    writeDay(DAY, Buffer.concat(parts.map((part) => Buffer.from(part))), 1);
    const found = await answer();
    expect(found).toMatchObject(like({ valid: false, dashboard_valid: false, anchors_valid }));
    expect(found.reasons[0]).toMatch(/audit-2026-11-22\.jsonl:31: /);
  });

  test("Python's line ends, its white space, and blank lines", async () => {
    start("intact");
    const spaced = linesOf(day()).map((line, i) => [line, ` ${line}\t`, `\u3000${line}\u0085`, `\x1c${line}`][i % 4]);
    for (const end of ["\r", "\r\n", "\n\r", "\n \u2028\n"]) {
      writeDay(DAY, `${end}${spaced.join(end)}`, 1);
      expect(await answer()).toMatchObject(like());
    }
  });

  test("an edit before an anchor breaks both, one behind the last only the chain", async () => {
    start("grown");
    const lines = linesOf(day());
    const edited = (at: number) => textOf(lines.with(at, lines[at]!.replace('"success": true', '"success": false')));
    writeDay(DAY, edited(80), 1);
    expect(await answer()).toMatchObject(like({ valid: false, dashboard_valid: false }));
    writeDay(DAY, edited(50), 1);
    expect(await answer()).toMatchObject(like({ valid: false, dashboard_valid: false, anchors_valid: false }));
  });

  test("no directory is an empty chain, which no anchor fits", async () => {
    start("intact");
    rmSync(dashboard, { recursive: true });
    const found = await answer();
    expect(found).toMatchObject(like({ valid: false, anchors_valid: false }));
    expect(found.warnings[0]).toContain("does not exist: there is no dashboard chain to check");
  });
});

const SEED = Number(process.env.SEED ?? 20261125);
test(`any one change of the dashboard's lines is found, and where (SEED=${SEED})`, async () => {
  start("grown");
  const next = seededIntegers(SEED);
  const lines = linesOf(day());
  for (let round = 0; round < 40; round++) {
    const at = next() % lines.length;
    const changed = [...lines];
    const how = ["edit", "remove", "insert", "swap", "cut"][next() % 5]!;
    if (how === "edit") changed[at] = changed[at]!.replace(/"n": (\d+)/, (_, n) => `"n": ${Number(n) + 1}`);
    if (how === "remove") changed.splice(at, 1);
    if (how === "insert") changed.splice(at, 0, changed[next() % lines.length]!);
    if (how === "swap") changed.splice(at, 2, ...changed.slice(at, at + 2).reverse());
    if (how === "cut") changed.splice(at);
    writeDay(DAY, textOf(changed), 1);
    const same = changed.findIndex((line, i) => line !== lines[i]);
    // The first line that is not what it was, if there is one; an end that is cut off breaks nothing.
    const held = same < 0 ? changed.length : same;
    const shorter = held === changed.length;
    expect(await answer(), `round ${round}: ${how} at ${at}`).toMatchObject({
      verify_unified: { dashboard_valid: shorter, anchors_valid: held >= 65, valid: shorter && held >= 65 },
      dashboard: { entries_checked: held, first_tampered_line: shorter ? null : held + 1 },
    });
  }
  expect(readdirSync(dashboard)).toEqual([DAY]);
});
