import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test("npm run demo: all that is written, over rotations, is received and archived, and its chain holds", () => {
  const directory = mkdtempSync(join(tmpdir(), "demo-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const script = join(import.meta.dirname, "..", "..", "scripts", "demo.ts");
  const args = ["--seconds", "4", "--directory", directory, "--port", "0"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
    timeout: 25_000,
    env: { ...process.env, AUDIT_EVERY_MS: "20", AUDIT_MAX_BYTES: "8000" },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const [, written, received, archived] = /^(\d+) entries written, (\d+) received over syslog, (\d+) archived/m
    .exec(stdout)!
    .map(Number);
  expect(written).toBeGreaterThan(20);
  expect([received, archived]).toEqual([written, written]);
  expect(stdout).toContain("intact");
  expect(readdirSync(join(directory, "app-audit")).length).toBeGreaterThan(1);
  expect(readFileSync(join(directory, "received.log"), "utf8").match(/_integrity_hash/g)?.length).toBe(written);
});
