/** What is published, as somebody gets it: packed, installed elsewhere, and run there. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { entryAfter, GENESIS } from "./fakes/chain-writer.ts";

const ROOT = join(import.meta.dirname, "..");
const exec = promisify(execFile);
const work = mkdtempSync(join(tmpdir(), "audit-agent-package-"));
// Another project has no Node of its own: it finds the supported one in the PATH.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, NODE_OPTIONS: "" };
const elsewhere = join(work, "elsewhere");
let packed: readonly string[];

/** The agent as `npx audit-agent` finds it there. */
function agent(args: readonly string[], input = "") {
  const running = exec(join(elsewhere, "node_modules/.bin/audit-agent"), args, { cwd: elsewhere, env });
  running.child.stdin!.end(input);
  return running;
}

beforeAll(async () => {
  const { stdout } = await exec("npm", ["pack", "--json", "--pack-destination", work], {
    cwd: ROOT,
    env,
    maxBuffer: 2 ** 24,
  });
  // The output of the build stands before the answer.
  const [about] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [{ filename: string; files: { path: string }[] }];
  packed = about.files.map(({ path }) => path);
  await exec("mkdir", [elsewhere]);
  await writeFile(join(elsewhere, "package.json"), '{"private":true}');
  await exec("npm", ["install", "--no-audit", "--no-fund", join(work, about.filename)], { cwd: elsewhere, env });
}, 300_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

test("it holds what runs and what people read, and no source, test or secret", () => {
  expect(packed).toContain("bin/audit-agent.js");
  expect(packed).toContain("dist/main.js");
  expect(packed).toContain("dist/THIRD-PARTY-LICENSES");
  expect(packed).toContain("dist/web/index.html");
  expect(packed).toContain("dist/web/THIRD-PARTY-LICENSES");
  expect(packed.filter((path) => /\.ts$|test|node_modules|\.env|\.map$/.test(path))).toEqual([]);
});

test("every bundled package is named with its licence", async () => {
  const text = await readFile(join(elsewhere, "node_modules/audit-agent/dist/THIRD-PARTY-LICENSES"), "utf8");
  const named = [...text.matchAll(/^(@?[\w/.-]+) \d+\.\d+\.\d+\S* \(.+\)$/gm)].map(([, name]) => name);
  expect(named).toEqual(expect.arrayContaining(["commander", "pino", "yaml", "zod"]));
});

test("--version, --help", async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect((await agent(["--version"])).stdout.trim()).toBe(version);
  expect((await agent(["--help"])).stdout).toContain("--config");
});

test("validate and run --once, from standard input to standard output", async () => {
  const config = join(elsewhere, "pipeline.yaml");
  await writeFile(
    config,
    `service: { data_dir: ./data }
pipeline:
  inputs:
    - { name: stdin, tag: audit }
  filters:
    - { name: level, match: '*', min: info }
  outputs:
    - { name: stdout, match: '*' }
`,
  );
  await agent(["validate", "--config", config]);
  const lines = ["debug", "info", "error"].map((level, n) => JSON.stringify({ level, n, event: "session.start" }));
  const { stdout } = await agent(["run", "--once", "--config", config], `${lines.join("\n")}\n`);
  const received = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { n: number }).n);
  expect(received).toEqual([1, 2]);
});

test("verify, in other threads", async () => {
  const lines: string[] = [];
  for (let tip = GENESIS["loki-dashboard"], size = 0; size < 9_000_000; ) {
    const { line, hash } = entryAfter("loki-dashboard", tip, lines.length, "x".repeat(5000));
    tip = hash;
    size += line.length;
    lines.push(line);
  }
  await writeFile(join(elsewhere, "audit-1.jsonl"), lines.join("\n"));
  const { stdout } = await agent(["verify", "--json", "--jobs", "3", "."]);
  expect(JSON.parse(stdout)).toMatchObject({ valid: true, entries_checked: lines.length });
});

test("health and metrics over HTTP: what is imported late is in the bundle too", async () => {
  const config = join(elsewhere, "http.yaml");
  await writeFile(
    config,
    `service: { data_dir: ./data-http, log_format: json, http: { listen: '127.0.0.1:0' } }
pipeline:
  inputs:
    - { name: stdin, tag: audit }
  outputs:
    - { name: elasticsearch, match: '*', url: 'http://127.0.0.1:9' }
`,
  );
  const running = exec(join(elsewhere, "node_modules/.bin/audit-agent"), ["--config", config], { cwd: elsewhere, env });
  const ended = running.catch((error: Error) => error);
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let log = "";
      running.child.stderr!.on("data", (text: string) => {
        log += text;
        const found = /health and metrics at (http:\/\/[\d.:]+)/.exec(log);
        if (found) resolve(found[1]!);
      });
      ended.then(() => reject(new Error(log)));
    });
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    const page = await (await fetch(`${address}/`)).text();
    const script = /src="\.?\/?(assets\/[^"]+\.js)"/.exec(page)?.[1];
    expect(script, page).toBeDefined();
    expect((await fetch(`${address}/${script}`)).status).toBe(200);
    expect(await (await fetch(`${address}/metrics`)).text()).toContain('audit_agent_component_state{kind="output"');
  } finally {
    running.child.kill("SIGTERM");
    await ended;
  }
});

test("the chunks hold no path of the machine that built them", async () => {
  const folder = join(elsewhere, "node_modules/audit-agent/dist");
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith(".js")) expect(await readFile(join(folder, name), "utf8")).not.toContain(ROOT);
  }
});

test("every destination's library is inside and works", async () => {
  const nowhere = "http://127.0.0.1:9";
  const aws = { endpoint: nowhere, region: "us-east-1", access_key_id: "a", secret_access_key: "b" };
  const outputs = [
    { name: "elasticsearch", url: nowhere },
    { name: "s3", bucket: "bucket", force_path_style: true, ...aws },
    { name: "cloudwatch", log_group: "g", ...aws },
    { name: "splunk_hec", url: nowhere, token: "t" },
    { name: "http", url: nowhere },
    { name: "syslog", host: "127.0.0.1", port: 9, protocol: "tcp" },
  ];
  const pipeline = { inputs: [{ name: "stdin" }], outputs: outputs.map((output) => ({ match: "*", ...output })) };
  const file = join(elsewhere, "all.json");
  await writeFile(file, JSON.stringify({ service: { data_dir: join(work, "all") }, pipeline }));
  const failed = await agent(["validate", "--connect", "--config", file]).catch((error: unknown) => error);
  const { code, stdout } = failed as { code: number; stdout: string };
  expect(code).toBe(1);
  const said = stdout.slice(stdout.indexOf("Connections"));
  for (const { name } of outputs) expect(said).toMatch(new RegExp(`${name} +failed: .*ECONNREFUSED`));
});
