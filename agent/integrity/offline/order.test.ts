import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainOf } from "../../../test/fakes/chain-writer.ts";
import { verifyPaths } from "./index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "order-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Five entries in each file; `times` are seconds. */
function write(names: readonly string[], times: readonly number[], change = (lines: string[], _file: number) => lines) {
  const all = chainOf("loki-dashboard", names.length * 5);
  for (const [i, name] of names.entries()) {
    const text = `${change(all.slice(i * 5, i * 5 + 5), i).join("\n")}\n`;
    writeFileSync(join(dir, name), name.endsWith(".gz") ? gzipSync(text) : text);
    utimesSync(join(dir, name), times[i]!, times[i]!);
  }
}
const strip = (line: string) => line.replace(/, "_integrity_hash".*/, "}");
const order = ({ files }: Awaited<ReturnType<typeof verifyPaths>>) => files.map(({ file }) => basename(file));

const ROTATED = [
  "audit-2026-02-01.101530.jsonl",
  "audit-2026-02-01.jsonl",
  "audit-2026-02-02.091500.jsonl.gz",
  "audit-2026-02-02.jsonl",
];

describe("modification times", () => {
  test("as the writer left them: nothing is said", async () => {
    write(ROTATED, [10, 20, 30, 40]);
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, reason: null, order: "mtime" });
  });

  test("all the same: the names' order, as nothing says otherwise", async () => {
    write(ROTATED, [10, 10, 10, 10]);
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({ valid: true, reason: null });
    expect(order(report)).toEqual(ROTATED);
  });

  test.each([[[40, 30, 20, 10]], [[20, 10, 40, 30]], [[30, 10, 40, 20]]])(
    "lost (%j): the names tell",
    async (times) => {
      write(ROTATED, times);
      const report = await verifyPaths([dir]);
      expect(report).toMatchObject({ valid: true, reason: "mtimes_lost", order: "name", files_checked: 4 });
      expect(order(report)).toEqual(ROTATED);
      expect(await verifyPaths([dir], { order: "mtime" })).toMatchObject({ valid: false, order: "mtime" });
      expect(await verifyPaths([dir], { order: "name" })).toMatchObject({ valid: true, reason: null });
    },
  );

  test("lost, and names that tell nothing: the hashes tell", async () => {
    const names = ["audit-q.jsonl", "audit-c.jsonl", "audit-z.jsonl", "audit-a.jsonl"];
    write(names, [10, 40, 20, 30]);
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({ valid: true, reason: "mtimes_lost", order: "chain" });
    expect(order(report)).toEqual(names);
  });

  test("lost, and something else is wrong: that is said of the right order", async () => {
    write(ROTATED, [30, 10, 40, 20], (lines, i) => (i === 2 ? lines.toSpliced(2, 1) : lines));
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({
      valid: false,
      reason: "edited_or_removed",
      first_tampered_line: 3,
      breaks_total: 1,
    });
    expect(report.warnings).toEqual([expect.stringContaining("modification times were lost")]);
  });

  test("where names and times agree, files whose contents were exchanged stay broken", async () => {
    const names = ["audit-2026-02-01.jsonl", "audit-2026-02-02.jsonl", "audit-2026-02-03.jsonl"];
    const all = chainOf("loki-dashboard", 15);
    write(names, [10, 20, 30], (_, i) => all.slice([0, 10, 5][i]!, [5, 15, 10][i]!));
    expect(await verifyPaths([dir])).toMatchObject({ valid: false, order: "mtime", files_checked: 2 });
  });
});

describe("files from before there were hashes", () => {
  test("are skipped, found also where the times were lost", async () => {
    write(ROTATED, [40, 30, 20, 10], (_, i) =>
      i === 0
        ? ['{"a": 1}', '{"a": 2}']
        : i === 1
          ? chainOf("loki-dashboard", 10).slice(0, 5)
          : chainOf("loki-dashboard", 15).slice(5 * (i - 1), 5 * i),
    );
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, files_skipped: 1, reason: "mtimes_lost" });
  });

  test("no order makes one of a file whose hashes were taken away", async () => {
    const names = ["audit-2026-02-01.jsonl", "audit-2026-02-02.jsonl", "audit-2026-02-03.jsonl"];
    for (const change of [
      (lines: string[]) => lines.map(strip),
      (lines: string[]) => lines.with(0, strip(lines[0]!)),
    ]) {
      for (const times of [
        [10, 20, 30],
        [30, 20, 10],
        [10, 10, 10],
      ]) {
        write(names, times, (lines, i) => (i === 2 ? change(lines) : lines));
        expect(await verifyPaths([dir])).toMatchObject({
          valid: false,
          first_break_kind: "stripped",
          first_tampered_line: 1,
        });
      }
    }
  });

  test("one in which hashes begin later is warned of", async () => {
    write(["audit-2026-02-01.jsonl", "audit-2026-02-02.jsonl"], [10, 20], (lines, i) =>
      i === 0 ? lines.with(0, strip(lines[0]!)) : chainOf("loki-dashboard", 5),
    );
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({ valid: true, files_skipped: 1 });
    expect(report.warnings).toEqual([expect.stringContaining("audit-2026-02-01.jsonl: skipped")]);
  });
});
