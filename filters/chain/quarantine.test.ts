import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { Quarantine } from "./quarantine.ts";

const GROUP = "/var/log/../odd name.jsonl";

function start(): { folder: string; quarantine: Quarantine } {
  const root = mkdtempSync(join(tmpdir(), "audit-agent-quarantine-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, "made", "when needed");
  return { folder, quarantine: new Quarantine(folder) };
}

const read = (file: string) => readFileSync(file, "utf8");

test("what was written before a crash is written again, to the same place", () => {
  const { folder, quarantine } = start();
  const begun = quarantine.begin(GROUP, "why");
  const first = quarantine.append(begun, batchOf(["a", "b", "c"]), 1);
  quarantine.append(first, batchOf(["lost"]), 0);
  const again = quarantine.append(first, batchOf(["d"]), 0);
  expect(read(begun.file)).toBe("b\nc\nd\n");
  expect(again.length).toBe(6);
  expect(statSync(begun.file).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("is released by removing the .hold file, and begins anew beside what was held", () => {
  const { folder, quarantine } = start();
  const first = quarantine.append(quarantine.begin(GROUP, "why"), batchOf(["a"]), 0);
  const hold = first.file.replace(".jsonl", ".hold");
  expect(read(hold)).toMatch("why\n");
  expect(quarantine.isReleased(first)).toBe(false);
  rmSync(hold);
  expect(quarantine.isReleased(first)).toBe(true);
  expect(quarantine.putAway(first.file)).toMatch(/\.released-1\.jsonl$/);
  expect(quarantine.putAway(first.file)).toBeUndefined();
  const second = quarantine.append(quarantine.begin(GROUP, "again"), batchOf(["b"]), 0);
  expect(read(second.file)).toBe("b\n");
  rmSync(hold);
  expect(quarantine.putAway(second.file)).toMatch(/\.released-2\.jsonl$/);
  expect(readdirSync(folder).length).toBe(2);
});

test("what nobody knows of is put aside, never written over", () => {
  const { quarantine } = start();
  const before = quarantine.append(quarantine.begin(GROUP, "why"), batchOf(["a"]), 0);
  const after = quarantine.append(quarantine.begin(GROUP, "why"), batchOf(["a", "b"]), 0);
  expect(after.file).toBe(before.file);
  expect(read(after.file)).toBe("a\nb\n");
  expect(read(after.file.replace(".jsonl", ".unfinished-1.jsonl"))).toBe("a\n");
});

test("groups do not share a file, whatever their names", () => {
  const { quarantine } = start();
  const files = ["/a/x.jsonl", "/b/x.jsonl", "", "/", `/${"y".repeat(400)}`, "/.."].map(
    (group) => quarantine.begin(group, "").file,
  );
  expect(new Set(files).size).toBe(files.length);
  expect(files.every((file) => existsSync(file.replace(".jsonl", ".hold")))).toBe(true);
});
