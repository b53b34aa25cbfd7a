/** The commands that speak with a running agent, against one that stands in for it. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AgentSocket, viewFor } from "../../test/fakes/agent-socket.ts";
import { Written } from "../../test/fakes/command.ts";
import { pause, reload } from "./actions.ts";
import { openPage } from "./open.ts";
import { status } from "./status.ts";

let dir: string;
let agent: AgentSocket | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "operate-test-"));
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const view = (...args: Parameters<typeof viewFor>) => ({ "GET /api/pipeline": [200, viewFor(...args)] as const });

test("status: the verdict first, then a table; 0 when all is well", async () => {
  agent = await AgentSocket.start(dir, view());
  const said = new Written();
  expect(await status({ dataDir: dir }, { json: false }, said.context)).toBe(0);
  expect(said.out.split("\n")[0]).toBe(
    "OK  audit-agent 1.2.3, pid 42, up 2 h 0 min; node host, /etc/audit-agent/pipeline.yaml",
  );
  expect(said.out).toMatch(/logs +ok +1,234 +2 KiB +3.0 s +2\n/);
  expect(said.out).toMatch(/main +ok +4 +1 min +400 bytes/);
  expect(said.err).toBe("");
  expect(agent.asked[0]!.operator).toMatch(/./);
});

test("status: 1 when degraded or failed, with the reasons, and nobody's text moves the cursor", async () => {
  const problems = ["output main: blocked since x: \x1b[2Jwrong password"];
  agent = await AgentSocket.start(dir, view({ status: "degraded", problems }));
  const said = new Written();
  expect(await status({ dataDir: dir }, { json: false }, said.context)).toBe(1);
  expect(said.out).toMatch(/^DEGRADED {2}audit-agent.*\n {2}output main: blocked since x: \\x1b\[2Jwrong password\n/);
  const json = new Written();
  expect(await status({ dataDir: dir }, { json: true }, json.context)).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({ running: true, pipeline: { status: "degraded", problems } });
});

test("status: 3 when no agent runs, also where one has left its socket", async () => {
  const never = new Written();
  expect(await status({ dataDir: dir }, { json: false }, never.context)).toBe(3);
  expect(never.out).toBe(`NOT RUNNING  no agent runs on ${dir}, and none ever has\n`);
  const json = new Written();
  expect(await status({ dataDir: dir }, { json: true }, json.context)).toBe(3);
  expect(JSON.parse(json.out)).toEqual({ running: false, data_dir: dir, on_disk: null });
  writeFileSync(join(dir, "agent.sock.path"), `${join(dir, "gone.sock")}\n`);
  expect(await status({ dataDir: dir }, { json: false }, new Written().context)).toBe(3);
});

test("the socket may be elsewhere, and the directory is found in the configuration without its secrets", async () => {
  const data = join(dir, "data");
  mkdirSync(data);
  const config = join(dir, "pipeline.yaml");
  writeFileSync(config, "service: { data_dir: data }\npipeline: { outputs: [{ token: '${NOT_SET}' }] }\n");
  agent = await AgentSocket.start(data, view(), join(dir, "else.sock"));
  expect(await status({ config }, { json: false }, new Written().context)).toBe(0);
});

test("reload: what changed, or why nothing was applied", async () => {
  const report = { at: "", by: "", kept: 3, problems: [] };
  const changes = [{ kind: "output", name: "main", change: "changed" }];
  agent = await AgentSocket.start(dir, {
    "POST /api/reload": (body) =>
      (body as { unprobed?: true }).unprobed
        ? [200, { ...report, applied: true, changes }]
        : [409, { ...report, applied: false, changes: [], problems: ["outputs main: refused"] }],
  });
  const refused = new Written();
  expect(await reload({ dataDir: dir }, { unprobed: false }, refused.context)).toBe(1);
  expect(refused.err).toBe("Nothing was applied; the agent goes on as it was.\n  outputs main: refused\n");
  const done = new Written();
  expect(await reload({ dataDir: dir }, { unprobed: true }, done.context)).toBe(0);
  expect(done.out).toBe("Reloaded: output main changed; 3 parts go on undisturbed.\n");
});

test("pause and resume: by alias; what the agent refuses is said; 3 where none runs", async () => {
  expect(await pause("a", true, { dataDir: dir }, new Written().context)).toBe(3);
  agent = await AgentSocket.start(dir, {
    "POST /api/outputs/a/pause": [200, { alias: "a", paused: true }],
    "POST /api/outputs/a/resume": [200, { alias: "a", paused: false }],
    "POST /api/outputs/b%2Fc/pause": [404, { error: "no output is called b/c" }],
  });
  const said = new Written();
  expect(await pause("a", true, { dataDir: dir }, said.context)).toBe(0);
  expect(await pause("a", false, { dataDir: dir }, said.context)).toBe(0);
  expect(said.out).toMatch(/^a is paused: .*\na goes on\.\n$/);
  expect(await pause("b/c", true, { dataDir: dir }, said.context)).toBe(2);
  expect(said.err).toBe("no output is called b/c\n");
});

test("open: the token goes through a file for this user alone, never through an argument", async () => {
  agent = await AgentSocket.start(dir, view());
  const config = join(dir, "pipeline.yaml");
  writeFileSync(config, `service: { data_dir: ${JSON.stringify(dir)}, http: { listen: "0.0.0.0:9600" } }\n`);
  writeFileSync(join(dir, "http-token"), "secret-token\n", { mode: 0o600 });
  const printed = new Written();
  expect(await openPage({ config }, { print: true }, printed.context)).toBe(0);
  expect(printed.out).toBe("http://127.0.0.1:9600/#token=secret-token\n");
  const opener = join(dir, process.platform === "darwin" ? "open" : "xdg-open");
  writeFileSync(
    opener,
    `#!/bin/sh\necho "$@" > '${dir}/args'\nls -l "$1" | cut -c1-10 > '${dir}/mode'\ncat "$1" > '${dir}/seen'\n`,
  );
  chmodSync(opener, 0o755);
  vi.stubEnv("PATH", `${dir}:${process.env.PATH}`);
  const said = new Written();
  expect(await openPage({ config }, { print: false, keptMs: 0 }, said.context)).toBe(0);
  const args = readFileSync(join(dir, "args"), "utf8").trim();
  expect(args).not.toContain("secret-token");
  expect(said.out).not.toContain("secret-token");
  expect(readFileSync(join(dir, "mode"), "utf8")).toBe("-rw-------\n");
  expect(readFileSync(join(dir, "seen"), "utf8")).toContain("url=http://127.0.0.1:9600/#token=secret-token");
  expect(existsSync(args)).toBe(false);
});

test("an agent that hangs up is no agent that is absent", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(join(dir, "agent.sock"), resolve));
  const said = new Written();
  expect(await status({ dataDir: dir }, { json: false }, said.context)).toBe(1);
  expect(said.err).not.toBe("");
  await new Promise((resolve) => server.close(resolve));
});
