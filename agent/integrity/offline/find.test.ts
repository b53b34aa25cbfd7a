/** What is put beside a log, or in front of it, does not keep it from being checked. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chainOf } from "../../../test/fakes/chain-writer.ts";
import { verifyPaths } from "./index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "find-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, lines: readonly string[]) => writeFileSync(join(dir, name), `${lines.join("\n")}\n`);
const edited = () => chainOf("loki-agent", 10).with(5, "{}");

test("a dashboard's file beside an agent's log", async () => {
  write("audit.jsonl", edited());
  write("audit-x.jsonl", chainOf("loki-dashboard", 3));
  const found = await verifyPaths([dir]);
  expect(found).toMatchObject({ valid: false, scheme: "loki-agent", first_tampered_line: 6 });
  expect(basename(found.first_tampered_file!)).toBe("audit.jsonl");
});

test("other logs beside a writer's own are warned of, but for the witness file", async () => {
  write("audit-2026-01-01.jsonl", chainOf("loki-dashboard", 3));
  write("app.log", chainOf("app", 3));
  write("witness.jsonl", ["{}"]);
  const { valid, warnings } = await verifyPaths([dir]);
  expect(valid).toBe(true);
  expect(warnings).toEqual([`${dir}: not checked, as these are not the names of its writers' logs: app.log`]);
});

test("lines in front of an agent's log that make it look like a dashboard's from before there were hashes", async () => {
  const lines = ["{}", '{"_integrity_hash":"x"}', ...edited()];
  write("audit.jsonl", lines);
  expect(await verifyPaths([dir])).toMatchObject({ valid: false, files_skipped: 0, first_tampered_line: 1 });
  // The dashboard's own verifier leaves out its own files by their first line.
  rmSync(join(dir, "audit.jsonl"));
  write("audit-2026-01-01.jsonl", lines);
  expect(await verifyPaths([dir])).toMatchObject({ valid: true, files_skipped: 1 });
});

test.each(["42", "null", '["_integrity_hash"]', Buffer.from([0xff])])(
  "a first line of which the dashboard's verifier dies does not make its file one from before there were hashes (%#)",
  async (first) => {
    const rest = chainOf("loki-dashboard", 5).toSpliced(2, 1).join("\n");
    writeFileSync(join(dir, "audit-1.jsonl"), Buffer.concat([Buffer.from(first), Buffer.from(`\n${rest}\n`)]));
    const found = { valid: false, reason: "malformed", files_skipped: 0, first_tampered_line: 1 };
    expect(await verifyPaths([dir])).toMatchObject(found);
  },
);

test.each(["garbage", "[1]", '"text"', "{}"])("a first line of which it says no more than that: %s", async (first) => {
  write("audit-1.jsonl", [first, ...chainOf("loki-dashboard", 5)]);
  expect(await verifyPaths([dir])).toMatchObject({ valid: true, files_skipped: 1 });
});

test("a first line that is too long to be looked at", async () => {
  const [first, ...rest] = chainOf("loki-dashboard", 5).toSpliced(2, 1);
  write("audit-1.jsonl", [first!.replace("{", `{${" ".repeat(2000)}`), ...rest]);
  expect(await verifyPaths([dir], { limits: { maxLine: 1000, maxSuspects: 10 } })).toMatchObject({
    valid: false,
    files_skipped: 0,
    first_tampered_line: 1,
  });
});
