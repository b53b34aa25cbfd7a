/** Agreement with the reference verifiers, on every corpus and in every member. */
import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyPaths } from "./index.ts";

const CORPORA = join(import.meta.dirname, "..", "..", "..", "test", "corpora", "chains");

interface Case {
  readonly case: string;
  readonly scheme: string;
  readonly files_oldest_first: readonly string[];
  readonly reference: Readonly<Record<string, unknown>>;
  readonly tip_hash?: string | null;
  readonly first_break_kind: string | null;
}
const cases = JSON.parse(readFileSync(join(CORPORA, "cases.json"), "utf8")) as Case[];

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "chains-test-"));
  cpSync(CORPORA, dir, { recursive: true });
  for (const one of cases) {
    for (const [i, name] of one.files_oldest_first.entries()) {
      utimesSync(join(dir, one.case, name), 1_700_000_000 + i * 60, 1_700_000_000 + i * 60);
    }
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const name = (path: string | null) => path && basename(path);

test.each(cases)("$case", async (one) => {
  const path = join(dir, one.case);
  for (const rangeSize of [undefined, 1000]) {
    const report = await verifyPaths([path], rangeSize === undefined ? {} : { rangeSize });
    const members = {
      ...report,
      first_tampered_file: name(report.first_tampered_file),
      genesis_file: name(report.genesis_file),
    };
    expect(members).toMatchObject({
      ...one.reference,
      scheme: one.scheme,
      first_break_kind: one.first_break_kind,
      ...(one.tip_hash ? { tip_hash: one.tip_hash } : {}),
    });
  }
});
