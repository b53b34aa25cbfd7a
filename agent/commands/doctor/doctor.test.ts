/** `audit-agent doctor` against real directories, TLS servers and a destination that can fail. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { filters } from "../../../filters/registry.ts";
import { inputs } from "../../../inputs/registry.ts";
import { outputs } from "../../../outputs/registry.ts";
import type { Preset } from "../../../outputs/shared/retention.ts";
import { selfSigned } from "../../../test/fakes/certificate.ts";
import { Written } from "../../../test/fakes/command.ts";
import { FakeElasticsearch } from "../../../test/fakes/elasticsearch.ts";
import { checkCertificates } from "./certificates.ts";
import type { Finding, Level, Subject } from "./check.ts";
import { checkClock } from "./clock.ts";
import { doctor } from "./doctor.ts";
import { checkRetention } from "./retention.ts";
import { parseRules } from "./rotation.ts";
import { lookAtServers, type ServerSeen } from "./servers.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "doctor-test-"));
  mkdirSync(join(dir, "logs"), { mode: 0o755 });
  mkdirSync(join(dir, "data"), { mode: 0o700 });
  mkdirSync(join(dir, "etc", "logrotate.d"), { recursive: true });
  writeFileSync(join(dir, "logs", "a.jsonl"), "{}\n", { mode: 0o640 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function examine(output: object, { frameworks = [] as Preset[], mode = 0o600, more = {} } = {}) {
  const file = join(dir, "pipeline.yaml");
  const pipeline = {
    inputs: [{ name: "tail", path: "logs/*.jsonl" }],
    outputs: [{ alias: "main", match: "*", ...output }],
  };
  writeFileSync(file, JSON.stringify({ service: { data_dir: "data", ...more }, pipeline }));
  chmodSync(file, mode);
  const said = new Written();
  const context = { ...said.context, registries: async () => ({ inputs, filters, outputs }) };
  const system = { proc: "/proc", etc: join(dir, "etc"), run: join(dir, "run") };
  const code = await doctor(file, { json: true, frameworks }, context, system);
  const text = new Written();
  await doctor(file, { json: false, frameworks }, { ...context, out: text.context.out, err: () => {} }, system);
  const checks =
    said.out === "" ? [] : (JSON.parse(said.out) as { checks: { check: string; findings: Finding[] }[] }).checks;
  const of = (name: string, ...levels: Level[]) =>
    checks.find(({ check }) => check === name)!.findings.filter(({ level }) => levels.includes(level));
  for (const { findings } of checks) {
    for (const { level, todo, what } of findings)
      if (level === "warn" || level === "error") expect(todo, what).toBeTruthy();
  }
  return { code, of, text: text.out, err: said.err };
}

const archive = () => ({ name: "file", path: join(dir, "archive", "%Y.jsonl") });

test("where all is well it exits with 0", async () => {
  const { code, of, text } = await examine(archive());
  expect(of("destinations", "ok")).toHaveLength(1);
  expect(of("data directory", "error")).toEqual([]);
  expect(of("secrets", "warn", "error")).toEqual([]);
  expect(text).toContain("ok    main would take entries");
  expect(code, text).toBe(0);
});

test("a configuration that is wrong: 2, as validate says it", async () => {
  const { code, err } = await examine({ name: "file" });
  expect(code).toBe(2);
  expect(err).toContain("path");
});

test("a secret in a file that others read, a data directory open to others, one that is a link", async () => {
  const elasticsearch = await FakeElasticsearch.start();
  onTestFinished(() => elasticsearch.stop());
  const output = { name: "elasticsearch", url: elasticsearch.url, index: "audit", api_key: "hunter2" };
  chmodSync(join(dir, "data"), 0o755);
  const { code, of, text } = await examine(output, { mode: 0o644 });
  expect(code).toBe(1);
  expect(of("secrets", "error")[0]!.what).toMatch(/a secret stands in .* others can read \(0644\): .*api_key/);
  expect(text).not.toContain("hunter2");
  expect(of("data directory", "warn")[0]!.what).toContain("open to others (0755)");
  symlinkSync(join(dir, "data"), join(dir, "link"));
  const linked = await examine(archive(), { more: { data_dir: "link" } });
  expect(linked.of("data directory", "error")[0]!.what).toContain("symbolic link");
});

test("files and folders that others may write, and copytruncate", async () => {
  chmodSync(join(dir, "logs", "a.jsonl"), 0o666);
  chmodSync(join(dir, "logs"), 0o777);
  writeFileSync(join(dir, "etc", "logrotate.d", "app"), `${dir}/logs/*.jsonl {\n  daily\n  copytruncate\n}\n`);
  const { of } = await examine(archive());
  const said = of("inputs", "warn").map(({ what }) => what);
  expect(said.join("\n")).toMatch(/a\.jsonl \(0666\)/);
  expect(said.join("\n")).toMatch(/remove and replace files in .*logs \(0777\)/);
  expect(of("rotation", "warn")[0]!.what).toContain("with copytruncate");
});

test("rules of logrotate: braces in scripts, quotes, a default that is taken back", () => {
  const text =
    '"/a b.log" /c.log {\n postrotate\n  if [ x ]; then { y; }; fi\n endscript\n}\n/d.log {\n nocopytruncate\n}\n';
  expect(parseRules("f", text, true).map(({ patterns, copytruncate }) => ({ patterns, copytruncate }))).toEqual([
    { patterns: ["/a b.log", "/c.log"], copytruncate: true },
    { patterns: ["/d.log"], copytruncate: false },
  ]);
});

test("a destination that is out: an error that says what it complains of", async () => {
  const elasticsearch = await FakeElasticsearch.start();
  const { url } = elasticsearch;
  await elasticsearch.stop();
  const { code, of } = await examine({ name: "elasticsearch", url, index: "audit" });
  expect(code).toBe(1);
  expect(of("destinations", "error")[0]!.what).toMatch(/^main would take nothing: .*/);
});

test("too little room for the queue: says how much is missing", async () => {
  const { of } = await examine(archive(), { more: { queue: { max_bytes: "900TB" } } });
  expect(of("data directory", "warn")[0]).toMatchObject({
    what: expect.stringContaining("are free for"),
    todo: expect.stringMatching(/^make room for .*TiB/),
  });
});

test("retention: shorter than the chosen framework's is an error, at one destination alone", async () => {
  expect((await examine(archive())).of("retention", "unknown")[0]!.what).toContain("no framework is chosen");
  const output = (alias: string, days: number | null) => ({
    ...{ alias, match: ["*"], options: {} },
    definition: { name: "x", keeps: async () => [{ by: "its lifecycle", days }] },
  });
  const config = {
    outputs: [output("short", 30), output("long", 4000), output("ever", null)],
    filters: [],
    service: {},
  };
  const subject = { config, context: new Written().context, frameworks: ["soc2", "hipaa"] } as unknown as Subject;
  const findings = await checkRetention(subject);
  expect(findings.map(({ level }) => level)).toEqual(["error", "ok", "ok"]);
  expect(findings[0]!.what).toBe("short: kept for 30 days by its lifecycle, and hipaa wants 2192");
});

async function tlsServer(): Promise<{ address: string; host: string; port: number }> {
  const { cert, key } = selfSigned("localhost");
  const server = createServer({ cert, key }, (_request, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { address: `https://127.0.0.1:${port}`, host: "127.0.0.1", port };
}

const DAY = 86_400_000;
const VALID_TO = Date.UTC(2099, 11, 31, 23, 59, 59);

test.each([
  [100, "ok", /is valid until 2099-12-31/],
  [29, "warn", /expires on 2099-12-31, in 29 days/],
  [3, "error", /expires on 2099-12-31, in 3 days/],
  [-1, "error", /has expired on 2099-12-31/],
] as const)("a server's certificate %i days before its end: %s", async (days, level, what) => {
  const { address } = await tlsServer();
  const clock = { now: () => VALID_TO - days * DAY } as Subject["clock"];
  const output = { alias: "main", definition: {}, options: {} };
  const config = { outputs: [output] } as unknown as Subject["config"];
  const places = new Map([["outputs.main", [{ option: "url", value: address }]]]) as Subject["places"];
  const servers = await lookAtServers({ config, places, clock });
  expect(servers[0]!.problem).toBeUndefined();
  const [finding] = await checkCertificates({ config, clock } as Subject, servers);
  expect(finding).toMatchObject({ level, what: expect.stringMatching(what) });
});

test.each([
  [10_000, "ok"],
  [-120_000, "warn"],
  [600_000, "error"],
] as const)("a clock that is %i ms off: %s", async (aheadMs, level) => {
  const seen: ServerSeen = { output: "main", address: "https://x", aheadMs, chain: [], problem: undefined };
  const system = { proc: "", etc: "", run: dir };
  const [finding] = await checkClock({ system } as Subject, [seen]);
  expect(finding!.level).toBe(level);
});
