import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { survey } from "./survey.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "survey-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function lookAt(pattern: string, exclude: string[] = [], followSymlinks = false): Promise<string | undefined> {
  const path = join(dir, pattern);
  const found = await survey({ paths: [path], exclude, followSymlinks, allowedRoots: [dir] });
  return found.get(path)?.replaceAll(dir, "");
}

test("files are counted, without those that are excluded", async () => {
  for (const name of ["a.jsonl", "b.jsonl", "c.jsonl"]) writeFileSync(join(dir, name), "");
  expect(await lookAt("*.jsonl")).toBe("3 files");
  expect(await lookAt("*.jsonl", ["b*"])).toBe("2 files");
  expect(await lookAt("c.jsonl")).toBe("1 file");
});

test("where nothing is, and why", async () => {
  expect(await lookAt("*.jsonl")).toBe("nothing there yet");
  expect(await lookAt("a.jsonl")).toBe("nothing there yet");
  expect(await lookAt("logs/2026/*.jsonl")).toBe("nothing there yet: /logs/2026 does not exist");
});

test("what is there and will not be read", async () => {
  mkdirSync(join(dir, "logs"));
  expect(await lookAt("logs")).toBe("0 files; /logs is a directory: its files would be /logs/*");
  writeFileSync(join(dir, "a.jsonl"), "");
  symlinkSync(join(dir, "a.jsonl"), join(dir, "b.jsonl"));
  symlinkSync(join(dir, "a.jsonl"), join(dir, "c.jsonl"));
  expect(await lookAt("*.jsonl")).toBe("1 file; /b.jsonl is a symbolic link and 1 more are left out");
  expect(await lookAt("*.jsonl", [], true)).toBe("3 files");
});

test.skipIf(process.getuid?.() === 0)("what this user may not read", async () => {
  writeFileSync(join(dir, "a.jsonl"), "");
  chmodSync(join(dir, "a.jsonl"), 0);
  expect(await lookAt("a.jsonl")).toBe("0 files; /a.jsonl cannot be read by this user");
  mkdirSync(join(dir, "logs"), { mode: 0 });
  expect(await lookAt("logs/*.jsonl")).toBe("0 files; /logs cannot be listed (EACCES)");
});
