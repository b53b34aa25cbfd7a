/** What lies in deploy/, asked of the programs it is for: `promtool`, `systemd-analyze`, `docker-compose`, `kubernetes-validate`, `helm`, … in PATH. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const DEPLOY = join(ROOT, "deploy");

/** Whether it can be asked. Makes the test "… is there", which is what complains. */
function tool(name: string, ...probe: string[]): boolean {
  const there = spawnSync(name, probe, { timeout: 20_000 }).status === 0;
  test(`${name} is there`, (context) => {
    if (there) return;
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(`no ${name} in PATH, and REQUIRE_SERVICES=1`);
    process.stderr.write(`\n*** SKIPPED: no ${name} in PATH ***\n`);
    context.skip(`no ${name} in PATH`);
  });
  return there;
}

/** What it says; throws where it ends otherwise than with 0. */
function run(name: string, args: readonly string[], cwd = DEPLOY): string {
  const { status, stdout, stderr } = spawnSync(name, args, { cwd, encoding: "utf8", timeout: 60_000 });
  expect({ status, said: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, said: "" });
  return stdout + stderr;
}

describe.runIf(tool("promtool", "--version"))("Prometheus", () => {
  test("the alerts are rules", () => {
    expect(run("promtool", ["check", "rules", "prometheus/alerts.yaml"])).toContain("17 rules found");
  });
  test("each alert fires when it should, and not before", () => {
    run("promtool", ["test", "rules", "prometheus/alerts_test.yaml"]);
  });
});

describe.runIf(tool("systemd-analyze", "--version"))("systemd", () => {
  const unit = readFileSync(join(DEPLOY, "systemd", "audit-agent.service"), "utf8");
  test("the unit is one", () => {
    const folder = mkdtempSync(join(tmpdir(), "unit-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "audit-agent.service");
    // A program that is there: that it can be executed is checked, too.
    writeFileSync(file, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
    expect(run("systemd-analyze", ["verify", file])).not.toMatch(/audit-agent\.service:/);
  });
  test("its exposure is 1.6 of 10 at most", () => {
    run("systemd-analyze", ["security", "--offline=yes", "--threshold=16", "systemd/audit-agent.service"]);
  });
});

describe.runIf(tool("kubernetes-validate", "--version"))("Kubernetes", () => {
  test.each(["kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml"])("%s is what the API takes", (name) => {
    for (const version of ["1.29.0", "1.33.0"]) run("kubernetes-validate", ["-k", version, "--strict", name]);
  });
});
