/** `audit-agent verify` as people type it, and what they read. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainOf, entryAfter, hashIn } from "../../test/fakes/chain-writer.ts";
import { Written } from "../../test/fakes/command.ts";
import { type VerifyFlags, verify } from "./verify.ts";

const LAUNCHER = join(import.meta.dirname, "..", "..", "bin", "audit-agent.js");

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "verify-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, lines: readonly string[]) => writeFileSync(join(dir, name), `${lines.join("\n")}\n`);
const edited = (lines: readonly string[], at: number) => lines.with(at, lines[at]!.replace('"read"', '"list"'));

function cli(args: readonly string[], input: string | Buffer = "") {
  const options = { cwd: dir, input, timeout: 20_000, env: { PATH: process.env.PATH, HOME: dir } };
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, "verify", ...args], options);
  return { code: status, out: String(stdout), err: String(stderr) };
}

/** Without colours, and only these. */
const plain = (text: string) =>
  ["0", "1", "2", "31", "32", "33"].reduce((rest, code) => rest.replaceAll(`\x1b[${code}m`, ""), text);

/** In this process, on a terminal or not. */
async function said(paths: readonly string[], flags: Partial<VerifyFlags> = {}, columns?: number) {
  const written = new Written();
  const terminal = { columns, colours: columns !== undefined, drawable: false };
  const code = await verify(
    paths.map((path) => join(dir, path)),
    flags,
    { ...written.context, terminal, out: written.context.out },
  );
  return { code, out: written.out.replaceAll(`${dir}/`, ""), err: written.err.replaceAll(`${dir}/`, "") };
}

describe("the command", () => {
  test("exit codes: 0 valid, 1 broken, 2 could not check", () => {
    const lines = chainOf("loki-dashboard", 5);
    write("audit-1.jsonl", lines);
    expect(cli(["."])).toMatchObject({ code: 0, err: "" });
    write("audit-1.jsonl", edited(lines, 3));
    expect(cli(["."])).toMatchObject({ code: 1, err: "" });
    expect(cli(["."]).out).toContain("BROKEN");
    expect(cli(["gone.jsonl"])).toEqual({ code: 2, out: "", err: "could not check: gone.jsonl: does not exist\n" });
    write("audit-1.jsonl", ['{"a": 1}']);
    expect(cli(["."])).toMatchObject({ code: 2, out: expect.stringContaining("no entry has a hash") });
    expect(cli(["--json", "gone"]).out).toBe('{"valid":null,"error":"gone: does not exist"}\n');
  });

  test.each([
    [[], "verify what?"],
    [["--scheme", "x", "."], "Allowed choices are auto, loki-dashboard, loki-agent, app"],
    [["--expect-entries", "-1", "."], "must be a whole number"],
    [["--jobs", "0", "."], "must be from 1 to 1024"],
    [["--start-hash", "", "."], "must not be empty"],
    [["--expect-tipp", "x", "."], "Did you mean --expect-tip?"],
  ])("%j: exit 2", (args, message) => {
    const { code, err } = cli(args);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  test("standard input, given or closed", () => {
    const lines = chainOf("app", 4);
    expect(cli(["-"], `${lines.join("\n")}\n`)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^- {2}4 entries {2}ok\n/),
    });
    expect(cli(["-"])).toMatchObject({ code: 2 });
  });

  test("a reader that has gone is no error", async () => {
    mkdirSync(join(dir, "many"));
    for (let i = 0; i < 3000; i++) write(`many/${"x".repeat(150)}-${i}.log`, ['{"a": 1}']);
    const child = spawn(process.execPath, [LAUNCHER, "verify", "many"], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.once("data", () => child.stdout.destroy());
    let err = "";
    child.stderr.on("data", (data) => {
      err += data;
    });
    expect(await once(child, "close")).toEqual([2, null]);
    expect(err).toBe("");
  });

  test("--json is one object with the reference's members", () => {
    const lines = chainOf("loki-agent", 5);
    mkdirSync(join(dir, "audit"));
    write("audit/audit.jsonl", lines.toSpliced(2, 1));
    const { code, out } = cli(["--json", "audit"]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      valid: false,
      reason: "removed",
      scheme: "loki-agent",
      files_checked: 1,
      files_skipped: 0,
      entries_checked: 2,
      first_tampered_file: "audit/audit.jsonl",
      first_tampered_line: 3,
      genesis_file: "audit/audit.jsonl",
      tip_hash: hashIn(lines[1]!),
      first_break_kind: "removed",
      breaks: [
        {
          file: "audit/audit.jsonl",
          line: 3,
          offset: `${lines[0]}\n${lines[1]}\n`.length,
          kind: "removed",
          message: expect.any(String),
          expected: hashIn(lines[1]!),
          found: hashIn(lines[2]!),
          lines: 1,
        },
      ],
      breaks_total: 1,
      kinds: { removed: 1 },
      order: "mtime",
      entries: 4,
      files: [{ file: "audit/audit.jsonl", state: "broken", entries: 4, breaks: 1 }],
      warnings: [],
    });
  });
});

describe("for people", () => {
  test("valid: a line for each file, and the last hash", async () => {
    const lines = chainOf("loki-dashboard", 7);
    write("audit-2026-02-01.jsonl", lines.slice(0, 6));
    write("audit-2026-02-02.jsonl", lines.slice(6));
    expect(await said(["."])).toEqual({
      code: 0,
      err: "",
      out: `audit-2026-02-01.jsonl  6 entries  ok
audit-2026-02-02.jsonl    1 entry  ok

VALID  loki-dashboard, 2 files, 7 entries: intact
       last hash ${hashIn(lines[6]!)}
`,
    });
  });

  test("broken: where, what, and the entry between its neighbours", async () => {
    write("a.jsonl", edited(chainOf("loki-dashboard", 8), 4));
    const { out } = await said(["a.jsonl"]);
    expect(out).toMatch(/^a\.jsonl {2}8 entries {2}broken\n\nBROKEN {2}loki-dashboard, 1 file, 8 entries: 1 break/);
    expect(out).toContain("a.jsonl:5, byte 504: edited or removed");
    expect(out).toMatch(/expected {2}[0-9a-f]{64}\n {4}found {5}[0-9a-f]{64}\n/);
    expect(out.match(/^ {2}[ >] \d /gm)).toEqual(["    3 ", "    4 ", "  > 5 ", "    6 ", "    7 "]);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(130);
  });

  test("no tampering: it is said, and how to go on", async () => {
    write("audit-1.jsonl", chainOf("loki-dashboard", 8).slice(3));
    const { code, out } = await said(["."]);
    expect(code).toBe(1);
    expect(out).toContain("WITHOUT A SIGN OF TAMPERING");
    expect(out).toContain("--anchor first");
    expect((await said(["."], { anchor: "first" })).code).toBe(0);
  });

  test("no tampering first, and tampering behind it: both are told", async () => {
    write("audit-1.jsonl", edited(chainOf("loki-dashboard", 12).slice(3), 5));
    const { out } = await said(["."]);
    expect(out).not.toContain("WITHOUT A SIGN OF TAMPERING");
    expect(out).toContain("1 head missing, 1 edited or removed");
    expect((await said(["."], { allBreaks: true })).out).toContain("audit-1.jsonl:6: edited or removed");
  });

  test("nothing of a log reaches the terminal as it is", async () => {
    const evil = "\x1b[2J\u202e\u2028\x9b";
    const lines = chainOf("loki-dashboard", 3);
    write(`${"\x1b"}.jsonl`, [
      ...lines,
      entryAfter("loki-dashboard", "x", 1, evil).line.replace("\\u001b", "\x1b"),
      `${evil}`,
    ]);
    const { out } = await said(["\x1b.jsonl"], { allBreaks: true });
    for (const c of ["\x1b", "\u202e", "\u2028", "\x9b"]) expect(out).not.toContain(c);
    expect(out).toContain("\\x1b.jsonl");
    const { out: coloured } = await said(["\x1b.jsonl"], {}, 80);
    expect(plain(coloured)).not.toContain("\x1b");
  });

  test("as wide as the terminal, in colours", async () => {
    write("a.jsonl", edited(chainOf("loki-dashboard", 8), 4));
    const { out } = await said(["a.jsonl"], {}, 70);
    expect(out).toContain("\x1b[31m\x1b[1mBROKEN");
    const entries = out.split("\n").filter((line) => line.includes('{"action'));
    expect(entries).toHaveLength(5);
    for (const line of entries) expect(plain(line).length).toBe(70);
  });
});
