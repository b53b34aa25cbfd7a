/** The agent as one file, run as on a machine that has no Node.js: nothing in the environment, nothing in the PATH. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildExecutable } from "../scripts/sea.ts";
import { entryAfter, GENESIS } from "./fakes/chain-writer.ts";

const exec = promisify(execFile);
const work = mkdtempSync(join(tmpdir(), "audit-agent-sea-test-"));
const file = join(work, "audit-agent");
const env = { PATH: "/nonexistent", HOME: join(work, "home") };

const agent = (args: readonly string[]) => exec(file, args, { cwd: work, env });

beforeAll(async () => {
  await mkdir(env.HOME);
  await buildExecutable(file);
}, 300_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

test("it says its version and its help", async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  expect((await agent(["--version"])).stdout.trim()).toBe(version);
  expect((await agent(["--help"])).stdout).toContain("audit-agent quickstart");
});

test("what is imported late is inside: every destination's library, and the HTTP server's", async () => {
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
  const config = join(work, "all.json");
  await writeFile(config, JSON.stringify({ service: { data_dir: "./all" }, pipeline }));
  await agent(["validate", "--config", config]);
  const failed = await agent(["validate", "--connect", "--config", config]).catch((error: unknown) => error);
  const { code, stdout } = failed as { code: number; stdout: string };
  expect(code).toBe(1);
  for (const { name } of outputs) expect(stdout).toMatch(new RegExp(`${name} +failed: .*ECONNREFUSED`));
});

test("the quick start ships the samples", async () => {
  const { stdout } = await agent(["quickstart", "--once", "--dir", join(work, "quickstart")]);
  expect(stdout).toMatch(/\d+ entries written to the archive/);
  const [archive] = await readdir(join(work, "quickstart/archive"));
  expect(
    readFileSync(join(work, "quickstart/archive", archive!), "utf8")
      .trim()
      .split("\n").length,
  ).toBeGreaterThan(5);
});

test("it runs with the HTTP server, and stops", async () => {
  const config = join(work, "http.yaml");
  await writeFile(
    config,
    `service: { data_dir: ./http, log_format: json, http: { listen: '127.0.0.1:0' } }
pipeline:
  inputs: [{ name: tail, path: ./nothing/*.jsonl }]
  outputs: [{ name: stdout, match: '*' }]
`,
  );
  const running = exec(file, ["--config", config], { cwd: work, env });
  const address = await new Promise<string>((resolve, reject) => {
    let log = "";
    running.child.stderr!.on("data", (text: string) => {
      log += text;
      const found = /(http:\/\/127\.0\.0\.1:\d+)/.exec(log);
      if (found) resolve(found[1]!);
    });
    running.catch(() => reject(new Error(log)));
  });
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  const page = await (await fetch(`${address}/`)).text();
  expect(page).toContain('<div id="app">');
  running.child.kill("SIGTERM");
  await running;
});

test("verify, in other threads", async () => {
  const folder = join(work, "chain");
  await mkdir(folder);
  // More than is checked in the first thread (INLINE_BELOW), so that others start without being asked for.
  let tip = GENESIS["loki-dashboard"];
  let n = 0;
  for (let part = 1; part <= 6; part++) {
    const lines: string[] = [];
    for (let size = 0; size < 10_000_000; ) {
      const { line, hash } = entryAfter("loki-dashboard", tip, n++, "x".repeat(5000));
      tip = hash;
      size += line.length;
      lines.push(line);
    }
    await writeFile(join(folder, `audit-2026-02-0${part}.jsonl`), `${lines.join("\n")}\n`);
  }
  for (const jobs of [[], ["--jobs", "3"]]) {
    const { stdout } = await agent(["verify", "--json", ...jobs, folder]);
    expect(JSON.parse(stdout)).toMatchObject({ valid: true, files_checked: 6, entries_checked: n, tip_hash: tip });
  }
});
