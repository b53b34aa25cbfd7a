/** What lies in deploy/, asked of the programs it is for: `promtool`, `systemd-analyze`, `docker-compose`, `kubernetes-validate`, `helm`, … in PATH. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

describe.runIf(tool("docker-compose", "version"))("Compose", () => {
  const config = (...profiles: string[]) =>
    JSON.parse(
      run("docker-compose", [...profiles.flatMap((name) => ["--profile", name]), "config", "--format", "json"], ROOT),
    ) as { services: Record<string, { read_only?: boolean; ports?: { host_ip?: string }[]; volumes?: Volume[] }> };
  interface Volume {
    source: string;
    target: string;
    read_only?: boolean;
  }
  test("docker-compose.yml is a project, with its profiles", () => {
    const plain = ["agent", "application", "elasticsearch", "kibana", "kibana-dashboard", "rsyslog"];
    expect(Object.keys(config().services).sort()).toEqual(plain);
    expect(Object.keys(config("s3", "splunk").services).sort()).toEqual([...plain, "s3", "splunk"]);
  });
  test("the agent reads the log and cannot write it, and nothing listens for others than this machine", () => {
    const { services } = config("s3", "splunk");
    const { read_only, volumes = [] } = services.agent!;
    expect(read_only).toBe(true);
    expect(volumes.find(({ target }) => target === "/var/log/app-audit")?.read_only).toBe(true);
    for (const { ports = [] } of Object.values(services)) {
      expect(ports.filter(({ host_ip }) => host_ip !== "127.0.0.1")).toEqual([]);
    }
  });
  test("the files that it mounts are there", () => {
    const bound = Object.values(config().services).flatMap(({ volumes = [] }) => volumes);
    const missing = bound.filter(({ source }) => source.startsWith("/") && !existsSync(source));
    expect(missing).toEqual([]);
  });
});

describe.runIf(tool("rsyslogd", "-v"))("rsyslog", () => {
  test("the receiver's configuration is one", () => {
    // With RELP where its module is: it is a package of its own.
    const { status, stderr } = spawnSync("rsyslogd", ["-N1", "-f", "demo/rsyslog/rsyslog.conf"], {
      cwd: DEPLOY,
      encoding: "utf8",
      timeout: 20_000,
    });
    const wrong = stderr.split("\n").filter((line) => /error|warning/i.test(line) && !/imrelp/.test(line));
    expect({ wrong, ok: status === 0 || /imrelp/.test(stderr) }).toEqual({ wrong: [], ok: true });
  });
});
