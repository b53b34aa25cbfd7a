/** The command as people type it: real process, real files. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inputs } from "../../inputs/registry.ts";
import { systemClock } from "../api/clock.ts";
import { openDeadLetters } from "../queue/dead-letters.ts";

const LAUNCHER = join(import.meta.dirname, "..", "..", "bin", "audit-agent.js");

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cli-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const environment = () => ({ PATH: process.env.PATH ?? "", HOME: dir, SECRET: "hunter2" });

function cli(...args: string[]): Promise<Result> {
  const options = { cwd: dir, env: environment(), timeout: 20_000, killSignal: "SIGKILL" as const };
  return new Promise((resolve) => {
    execFile(process.execPath, [LAUNCHER, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}

function write(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return name;
}

const PIPELINE = `service: { data_dir: data }
pipeline:
  inputs: [{ name: tail, tag: audit.x, path: logs/*.jsonl }]
  filters: [{ name: level, min: info }]
  outputs: [{ name: file, match: 'audit.*', path: archive/%Y.jsonl }]
`;

function logs(...lines: string[]): void {
  mkdirSync(join(dir, "logs"), { recursive: true });
  appendFileSync(join(dir, "logs", "a.jsonl"), lines.map((line) => `${line}\n`).join(""));
}
const entry = (n: number, level = "info") => `{"timestamp":"2026-02-01T09:00:00Z","level":"${level}","n":${n}}`;
const archived = () =>
  readFileSync(join(dir, "archive", "2026.jsonl"), "utf8")
    .trimEnd()
    .split("\n");

describe("usage", () => {
  test("--version and --help", async () => {
    expect(await cli("--version")).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: "" });
    const { code, out } = await cli("--help");
    expect(code).toBe(0);
    for (const word of ["run", "validate", "quickstart", "queue", "dead-letters", "--config", "Exit codes"]) {
      expect(out).toContain(word);
    }
  });

  test("help, as a word", async () => {
    expect(await cli("help")).toEqual(await cli("--help"));
    expect(await cli("help", "validate")).toEqual(await cli("validate", "--help"));
  });

  test.each([
    [["valdate"], 'unknown command "valdate" (did you mean "validate"?)'],
    [["--confg", "x"], "Did you mean --config?"],
    [["run"], "Say --config FILE"],
    [["run", "--config"], "argument missing"],
    [["run", "--config", "missing.yaml"], "missing.yaml: does not exist"],
    [["validate", "--config", "."], ".: is a directory"],
    [["queue", "drop", "--config", "x"], "missing required argument"],
    [[], "Usage: audit-agent"],
  ])("%j: exit 2", async (args, message) => {
    const { code, out, err } = await cli(...args);
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  test("a configuration with mistakes: all of them, no secret, exit 2, nothing touched", async () => {
    write(
      "bad.yaml",
      `service: { data_dir: data, log_level: '\${SECRET}' }
pipeline:
  inputs: [{ name: tial, path: x }]
  outputs:
    - name: elasticsearch
      url: '\${SECRET}'
      tokn: x
`,
    );
    for (const command of ["run", "validate"]) {
      const { code, err } = await cli(command, "--config", "bad.yaml");
      expect(err.split("\n")).toEqual([
        "bad.yaml:1:28  service.log_level: must be one of debug, info, warn, error, silent",
        'bad.yaml:3:14  inputs[0].name: no input is called "tial" (did you mean "tail"?)',
        "bad.yaml:6:7  outputs[0].url: must be an http or https URL",
        expect.stringMatching(/^bad\.yaml:7:7 {2}outputs\[0\]\.tokn: unknown option/),
        "4 problems; nothing was started.",
        "",
      ]);
      expect(code).toBe(2);
    }
    expect(readdirSync(dir).filter((name) => !name.startsWith("."))).toEqual(["bad.yaml"]);
  });
});

describe("validate", () => {
  test("says what would be read and where it would go, and touches nothing", async () => {
    write("p.yaml", PIPELINE);
    const { code, out, err } = await cli("validate", "--config", "p.yaml");
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toContain(
      `path: ${join(dir, "logs/*.jsonl")} (nothing there yet: ${join(dir, "logs")} does not exist)`,
    );
    expect(out).toContain(join(dir, "archive/%Y.jsonl"));
    expect(out).toContain(join(dir, "data"));
    expect(out).toContain("exactly once");
    expect(readdirSync(dir).filter((name) => !name.startsWith("."))).toEqual(["p.yaml"]);
  });

  test("--connect says which destination fails and why: exit 1", async () => {
    write(
      "p.yaml",
      `${PIPELINE}`.replace("outputs: [", "outputs: [{ name: elasticsearch, url: 'http://127.0.0.1:1' }, "),
    );
    const { code, out } = await cli("validate", "--connect", "--config", "p.yaml");
    expect(out).toMatch(/elasticsearch +failed: .*ECONNREFUSED/);
    expect(out).toMatch(/file +ok/);
    expect(code).toBe(1);
  });

  test("warnings, and a data directory that cannot be", async () => {
    write("data", "a file");
    write("p.yaml", PIPELINE.replace("match: 'audit.*'", "match: nothing"));
    const { code, err } = await cli("validate", "--config", "p.yaml");
    expect(err).toMatch(/^warning: p\.yaml:3:\d+ {2}inputs\[0\]: no output takes/);
    expect(err).toMatch(/warning: p\.yaml:5:\d+ {2}outputs\[0\]: match fits no tag/);
    expect(err).toContain("service.data_dir");
    expect(code).toBe(2);
  });
});

describe("run", () => {
  test("--once ships what is there, a second time what is new, and tells the ledger", async () => {
    write("p.yaml", PIPELINE);
    logs(entry(1), entry(2, "debug"), entry(3));
    const first = await cli("run", "--once", "--config", "p.yaml");
    expect(first.err).toContain("read 3 + created 0 = filtered 1 + delivered 2 + rejected 0 + lost 0 + queued 0");
    expect(first).toMatchObject({ code: 0, out: "" });
    const second = await cli("run", "--once", "--config", "p.yaml");
    expect(second.code).toBe(0);
    logs(entry(4));
    expect((await cli("--config", "p.yaml", "--once")).code).toBe(0);
    expect(archived().map((line) => JSON.parse(line).n)).toEqual([1, 3, 4]);

    const inspected = await cli("queue", "inspect", "--config", "p.yaml");
    expect(inspected.out).toMatch(/file +0 waiting/);
    const { out } = await cli("queue", "inspect", "--json", "--config", "p.yaml");
    expect(JSON.parse(out)).toEqual({
      directory: join(dir, "data", "queue"),
      bytes: expect.any(Number),
      max_bytes: 1024 ** 3,
      segments: expect.any(Number),
      outputs: [{ alias: "file", records: 0, bytes: 0, orphan: false }],
      damage: [],
    });
    expect((await cli("queue", "drop", "file", "--config", "p.yaml")).code).toBe(2);
    expect(await cli("dead-letters", "list", "--config", "p.yaml")).toMatchObject({ code: 0, out: "" });
  });

  test("dead letters are listed to the last one, also for a reader that is slower", async () => {
    write("p.yaml", PIPELINE);
    const emit = () => {};
    const box = await openDeadLetters({
      ...{ dir: join(dir, "data", "dead-letters"), maxBytes: 1e9, maxAge: 1e9, clock: systemClock, emit },
    });
    const about = {
      output: "file",
      reason: "no",
      attempts: 1,
      tag: "audit.x",
      offset: 0,
      original: Buffer.alloc(1_000, "x"),
    };
    await box.append(Array.from({ length: 4_000 }, (_, i) => ({ ...about, time: Date.now(), id: `A-${i}` })));
    await box.close();
    const command = [LAUNCHER, "dead-letters", "list", "--config", "p.yaml"];
    const list = spawn(process.execPath, command, {
      cwd: dir,
      env: environment(),
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(list, "exit");
    let text = "";
    for await (const piece of list.stdout) {
      text += piece;
      await setTimeout(1);
    }
    expect(await ended).toEqual([0, null]);
    const ids = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(Array.from({ length: 4_000 }, (_, i) => `A-${i}`));
  });

  test("what waits for an output that was down since the very first start can be seen, and given up", async () => {
    const down = (more: string) => `service: { data_dir: data, shutdown_timeout: 10ms }
pipeline:
  inputs: [{ name: tail, tag: audit.x, path: logs/*.jsonl }]
  outputs:
    - { name: elasticsearch, alias: es, match: 'audit.*', url: 'http://127.0.0.1:1'${more} }
    - { name: file, path: archive/%Y.jsonl }
`;
    write("p.yaml", down(""));
    logs(entry(1), entry(2), entry(3));
    const agent = spawn(process.execPath, [LAUNCHER, "--config", "p.yaml"], { cwd: dir, env: environment() });
    const ended = once(agent, "exit");
    await expect.poll(() => existsSync(join(dir, "archive", "2026.jsonl")), { timeout: 15_000 }).toBe(true);
    expect((await cli("queue", "inspect", "--config", "p.yaml")).out).toMatch(/es +3 waiting/);
    agent.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
    expect((await cli("queue", "inspect", "--config", "p.yaml")).out).toMatch(/es +3 waiting/);

    write("p.yaml", down(", enabled: false"));
    const { out } = await cli("queue", "inspect", "--config", "p.yaml");
    expect(out).toMatch(/es +3 waiting .*orphan/);
    expect((await cli("queue", "drop", "es", "--config", "p.yaml")).out).toMatch(
      /^Gave up 3 entries \(.*\) .* es\.\n$/,
    );
    expect((await cli("queue", "inspect", "--config", "p.yaml")).out).not.toMatch(/^ +es/m);
  });

  test("the ledger is the last thing said, after what the log held back", async () => {
    write("p.yaml", PIPELINE);
    logs(entry(1));
    for (const name of "bcdefgh") writeFileSync(join(dir, "logs", `${name}.jsonl`), `${entry(2)}\n`);
    const { err } = await cli("run", "--once", "--config", "p.yaml");
    const lines = err.trimEnd().split("\n");
    expect(lines.some((line) => line.includes("like this held back"))).toBe(true);
    expect(lines.at(-1)).toContain("file: read 8 + created 0 = ");
  });

  test("a second agent says that there is one, though its address is taken as well", async () => {
    write("p.yaml", PIPELINE.replace("data_dir: data", "data_dir: data, http: { listen: '127.0.0.1:0' }"));
    logs(entry(1));
    const agent = spawn(process.execPath, [LAUNCHER, "--config", "p.yaml"], { cwd: dir, env: environment() });
    const ended = once(agent, "exit");
    let err = "";
    agent.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    const address = /health and metrics at http:\/\/(127\.0\.0\.1:\d+)/;
    await expect.poll(() => err, { timeout: 15_000 }).toMatch(address);
    write(
      "second.yaml",
      PIPELINE.replace("data,", "").replace("data }", `data, http: { listen: '${address.exec(err)![1]}' } }`),
    );
    const second = await cli("--config", "second.yaml");
    expect(second.err).toMatch(/cannot start: data directory .* is in use by another agent \(process \d+/);
    expect(second.code).toBe(2);
    agent.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });

  test("stops where nobody reads its only output any more; what waits is there the next time", async () => {
    write("p.yaml", PIPELINE.replace(/outputs: .*/, "outputs: [{ name: stdout }]"));
    logs(...Array.from({ length: 20_000 }, (_, n) => entry(n)));
    const agent = spawn(process.execPath, [LAUNCHER, "--config", "p.yaml"], { cwd: dir, env: environment() });
    let err = "";
    agent.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    // Far more than a pipe holds, of which one piece is read.
    await once(agent.stdout, "data");
    agent.stdout.destroy();
    const [code] = (await once(agent, "close")) as [number];
    expect(err).toContain("nobody reads standard output any more, and nothing else is written to");
    expect(err).toMatch(/queued [1-9]/);
    expect(code).toBe(1);
    const { out } = await cli("queue", "inspect", "--json", "--config", "p.yaml");
    expect(JSON.parse(out).outputs[0].records).toBeGreaterThan(0);
  });

  test.skipIf(process.getuid?.() === 0)("a data directory whose parts this user may not have: exit 2", async () => {
    write("p.yaml", PIPELINE);
    expect((await cli("run", "--once", "--config", "p.yaml")).code).toBe(0);
    chmodSync(join(dir, "data", "queue", "cursors", "file.cursor"), 0);
    const { code, err } = await cli("run", "--once", "--config", "p.yaml");
    expect(err).toContain(`service.data_dir: ${join(dir, "data")} cannot be used by this user: EACCES`);
    expect(code).toBe(2);
  });

  test("until SIGINT, then in good order", async () => {
    write("p.yaml", PIPELINE);
    logs(entry(1));
    const agent = spawn(process.execPath, [LAUNCHER, "--config", "p.yaml"], { cwd: dir, env: environment() });
    let err = "";
    agent.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    await expect.poll(() => existsSync(join(dir, "archive", "2026.jsonl")), { timeout: 15_000 }).toBe(true);
    agent.kill("SIGHUP");
    await expect.poll(() => err, { timeout: 15_000 }).toContain("reload by SIGHUP (signal): nothing is different");
    // As under npm: the terminal sends it, and npm passes it on.
    agent.kill("SIGINT");
    agent.kill("SIGINT");
    const [code] = (await once(agent, "exit")) as [number];
    // The entry, and that it was asked to reload.
    expect(err).toMatch(/read 1 \+ created 1 .* delivered 2 /);
    expect(code).toBe(0);
  });
});

describe.skipIf(!inputs.some(({ name }) => name === "agent_audit"))("quickstart", () => {
  test("ships the samples, and the second time only what is new", async () => {
    const first = await cli("quickstart", "--once");
    expect(first.err).toBe("");
    expect(first.out).toContain("17 entries written to the archive, 2 entries filtered out");
    expect(first.out).toContain("cp .audit-agent/quickstart/pipeline.yaml pipeline.yaml");
    expect(first.code).toBe(0);
    mkdirSync(join(dir, ".loki", "logs"), { recursive: true });
    writeFileSync(
      join(dir, ".loki", "logs", "agent-audit.jsonl"),
      `{"timestamp":"2026-02-12T18:30:00Z","action":"cli_invoke"}\n`,
    );
    const second = await cli("quickstart", "--once");
    expect(second.out).toContain("1 entry written to the archive");
    expect(second.code).toBe(0);
    const third = await cli("quickstart", "--once");
    expect(third.out).toContain("Nothing was new.");
    expect(third.code).toBe(0);
    // As it says: a copy elsewhere reads the same, and keeps its own account.
    const copy = readFileSync(join(dir, ".audit-agent", "quickstart", "pipeline.yaml"), "utf8");
    write("pipeline.yaml", copy.replace("log_level: warn", "log_level: info").replace(":2020", ":0"));
    const { code, err } = await cli("run", "--once", "--config", "pipeline.yaml");
    expect(err).toContain("read 20 + created 0 = filtered 2 + delivered 18");
    expect(code).toBe(0);
  });
});
