/** What lies in deploy/, asked of the programs it is for: `promtool`, `systemd-analyze`, `kubernetes-validate`, `compose-spec`, `rsyslogd`, `logrotate`, in PATH, and `helm` where there is one. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import picomatch from "picomatch";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

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

function ask(name: string, args: readonly string[], cwd = DEPLOY) {
  return spawnSync(name, args, { cwd, encoding: "utf8", timeout: 60_000 });
}

/** What it says; throws where it ends otherwise than with 0. */
function run(name: string, args: readonly string[], cwd = DEPLOY): string {
  const { status, stdout, stderr } = ask(name, args, cwd);
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

describe.runIf(tool("compose-spec", "--help"))("Compose", () => {
  interface Volume {
    type: string;
    source: string;
    target: string;
    read_only?: boolean;
  }
  interface Service {
    profiles?: string[];
    read_only?: boolean;
    ports?: { host_ip?: string }[];
    volumes?: Volume[];
  }
  /** By the loader that `docker compose` itself has. */
  const load = () =>
    (JSON.parse(run("compose-spec", ["--format", "json", "docker-compose.yml"], ROOT)) as { services: Map }).services;
  type Map = Record<string, Service>;

  test("docker-compose.yml is a project, with its profiles", () => {
    const profiles = Object.entries(load()).map(([name, service]) => `${name} ${service.profiles ?? ""}`.trim());
    const always = ["agent", "application", "elasticsearch", "kibana", "kibana-dashboard", "rsyslog"];
    expect(profiles.sort()).toEqual([...always, "s3 s3", "splunk splunk"]);
  });
  test("the agent reads the log and cannot write it, and nothing listens for others than this machine", () => {
    const services = load();
    const { read_only, volumes = [] } = services.agent!;
    expect(read_only).toBe(true);
    expect(volumes.find(({ target }) => target === "/var/log/app-audit")?.read_only).toBe(true);
    for (const { ports = [] } of Object.values(services)) {
      expect(ports.filter(({ host_ip }) => host_ip !== "127.0.0.1")).toEqual([]);
    }
  });
  test("the files that it mounts are there", () => {
    const bound = Object.values(load())
      .flatMap(({ volumes = [] }) => volumes)
      .filter(({ type }) => type === "bind");
    expect(bound.length).toBe(2);
    expect(bound.filter(({ source }) => !existsSync(source))).toEqual([]);
  });
});

describe.runIf(tool("rsyslogd", "-v"))("rsyslog", () => {
  test.each(["demo/rsyslog/rsyslog.conf", "rsyslog/50-audit-agent.conf"])("%s is a configuration", (name) => {
    // RELP is a module of its own, which need not be installed where the rest is checked.
    const { stderr } = ask("rsyslogd", ["-N1", "-f", name]);
    const wrong = stderr.split("\n").filter((line) => /error|warning/i.test(line) && !/imrelp/.test(line));
    expect(wrong).toEqual([]);
    expect(stderr).toContain("End of config validation run");
  });
});

describe.runIf(tool("logrotate", "--version"))("logrotate", () => {
  test("what it renames is 0600 before and after, and still has a name that the agent looks for", () => {
    const folder = mkdtempSync(join(tmpdir(), "logrotate-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { username, gid } = userInfo();
    const group = readFileSync("/etc/group", "utf8").match(new RegExp(`^([^:]+):[^:]*:${gid}:`, "m"))![1]!;
    const config = readFileSync(join(DEPLOY, "logrotate", "audit-log"), "utf8")
      .replaceAll("/var/log/app-audit", folder)
      .replaceAll("app app", `${username} ${group}`);
    writeFileSync(join(folder, "logrotate.conf"), config, { mode: 0o644 });
    writeFileSync(join(folder, "audit.jsonl"), "{}\n", { mode: 0o600 });
    run("logrotate", ["--force", "--state", join(folder, "state"), join(folder, "logrotate.conf")]);
    const names = readdirSync(folder).filter((name) => name.startsWith("audit"));
    expect(names.sort().map((name) => name.replace(/\d{8}-\d+/, "DATE"))).toEqual(["audit-DATE.jsonl", "audit.jsonl"]);
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    expect(names.every((name) => picomatch.isMatch(name, "audit*.jsonl*"))).toBe(true);
  });
});

// It takes minutes to build, so it is asked where it is, and nobody complains where it is not.
const helm = spawnSync("helm", ["version"], { timeout: 20_000 }).status === 0;
if (helm)
  describe("Helm", () => {
    const CHART = "helm/audit-agent";
    const template = (...set: string[]) =>
      run("helm", ["template", "--kube-version", "1.33.0", ...set.flatMap((each) => ["--set", each]), "demo", CHART]);

    test("the chart is one", () => {
      expect(run("helm", ["lint", "--strict", CHART])).toContain("0 chart(s) failed");
    });
    test.each([
      "",
      "networkPolicy.enabled=false secretName= tolerations=null",
      "supplementalGroups={4,27} logs={/var/log/a,/srv/b} podAnnotations.a=b imagePullSecrets[0].name=pull",
    ])("what it makes is what the API takes, set %j", (set) => {
      const folder = mkdtempSync(join(tmpdir(), "chart-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      writeFileSync(join(folder, "all.yaml"), template(...set.split(" ").filter(Boolean)));
      run("kubernetes-validate", ["-k", "1.33.0", "--strict", join(folder, "all.yaml")]);
    });
    test("the configuration comes through as it is in the values", () => {
      const documents = parseAllDocuments(template()).map((document) => document.toJS() as Manifest);
      const { data } = documents.find(({ kind }) => kind === "ConfigMap")!;
      const values = parse(readFileSync(join(DEPLOY, CHART, "values.yaml"), "utf8")) as { config: object };
      expect(parse(data!["pipeline.yaml"]!)).toEqual(values.config);
    });
    interface Manifest {
      kind: string;
      data?: Record<string, string>;
    }
  });
