/** `audit-agent checksums`: what it says, what it answers, and whom it alerts. */

import { execFile } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Written } from "../../test/fakes/command.ts";
import { FakeSink } from "../../test/fakes/http-sink.ts";
import { type ChecksumFlags, checksums, checksumWords, type Verb } from "./checksums.ts";

const LAUNCHER = join(import.meta.dirname, "..", "..", "bin", "audit-agent.js");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "checksums-cli-test-"));
  write("a.log", "a\n");
  write("b.jsonl", "b\n");
  write("c.txt", "c\n");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, text: string): void {
  rmSync(join(dir, name), { force: true });
  writeFileSync(join(dir, name), text);
}

async function run(verb: Verb, flags: Partial<ChecksumFlags> = {}) {
  const written = new Written();
  const all = { json: false, webhook: undefined, force: false, allowMissing: false, ...flags };
  const code = await checksums(verb, dir, all, written.context);
  const shown = (text: string) => text.replaceAll(dir, "DIR");
  return { code, out: shown(written.out), err: shown(written.err) };
}

describe("verify", () => {
  test("healthy: one line", async () => {
    expect(await run("update")).toEqual({ code: 0, out: "DIR: checksums of 2 files recorded (4 bytes)\n", err: "" });
    expect(await run("verify")).toEqual({ code: 0, out: "DIR: 2 files intact (4 bytes)\n", err: "" });
  });

  test("grown and new: said, and no tampering", async () => {
    await run("update");
    appendFileSync(join(dir, "a.log"), "more\n");
    write("d.log", "d");
    const out =
      "GROWN: a.log\nNEW: d.log\nDIR: 2 files intact (9 bytes), 1 of them grown since, 1 new and not recorded yet\n";
    expect(await run("verify")).toEqual({ code: 0, out, err: "" });
  });

  test("tampered and missing: exit 1", async () => {
    await run("update");
    write("a.log", "b\n");
    rmSync(join(dir, "b.jsonl"));
    expect(await run("verify")).toEqual({
      code: 1,
      out: "TAMPER DETECTED: a.log\nMISSING: b.jsonl\nDIR: of 2 files recorded: 1 altered, 1 missing, 0 intact\n",
      err: "a.log: something within the first 2 bytes, which were recorded, was changed\n",
    });
    const { code, out } = await run("verify", { json: true });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      files: 2,
      tampered: ["a.log"],
      missing: ["b.jsonl"],
      grown: [],
      new: [],
      unchecked: [],
    });
  });

  test.each([
    ["no manifest", () => undefined, "DIR has no .checksums; this makes one: audit-agent checksums update DIR\n"],
    [
      "an empty manifest",
      () => write(".checksums", "# nothing\n"),
      "DIR/.checksums has no checksums: nothing to check by\n",
    ],
    ["a malformed one", () => write(".checksums", "\nhello\n"), "DIR/.checksums: line 2 is no line of sha256sum's\n"],
    ["a directory", () => mkdirSync(join(dir, ".checksums")), "DIR/.checksums is a directory, not a file\n"],
    ["no directory", () => rmSync(dir, { recursive: true }), "ENOENT: no such file or directory, stat 'DIR'\n"],
  ])("%s: exit 2", async (_, prepare, err) => {
    prepare();
    expect(await run("verify")).toEqual({ code: 2, out: "", err });
    const { code, out } = await run("verify", { json: true });
    expect({ code, ...JSON.parse(out) }).toMatchObject({ code: 2, valid: null, error: err.trimEnd() });
  });

  test("names that lead out are not checked: exit 2, and 1 where something else is wrong", async () => {
    await run("update");
    const manifest = readFileSync(join(dir, ".checksums"), "utf8");
    write(".checksums", `${manifest}${"0".repeat(64)}  ../x.log\n`);
    expect(await run("verify")).toEqual({
      code: 2,
      out: "DIR: of 3 files recorded: 1 outside of it and not checked, 2 intact\n",
      err: "../x.log: line 3: leads out of the directory; not hashed\n",
    });
    write("a.log", "A\n");
    expect((await run("verify")).code).toBe(1);
    expect((await run("update", { force: true })).code).toBe(0);
    expect((await run("verify")).code).toBe(0);
  });
});

describe("update", () => {
  test("what has grown is recorded anew, what is new comes in", async () => {
    await run("update");
    appendFileSync(join(dir, "a.log"), "more\n");
    write("d.log", "d");
    const out = "GROWN: a.log\nNEW: d.log\nDIR: checksums of 3 files recorded (10 bytes)\n";
    expect(await run("update")).toEqual({ code: 0, out, err: "" });
    expect((await run("verify")).out).toBe("DIR: 3 files intact (10 bytes)\n");
  });

  test("does not record over what was altered, unless forced", async () => {
    await run("update");
    const before = readFileSync(join(dir, ".checksums"), "utf8");
    write("a.log", "A\n");
    for (const flags of [{}, { allowMissing: true }]) {
      const { code, out } = await run("update", flags);
      expect(code).toBe(1);
      expect(out).toContain(
        "TAMPER DETECTED: a.log\nDIR: nothing recorded: of 2 files recorded: 1 altered, 1 intact (--force",
      );
      expect(readFileSync(join(dir, ".checksums"), "utf8")).toBe(before);
    }
    const { code, out } = await run("update", { force: true });
    expect(code).toBe(0);
    expect(out).toBe("TAMPER DETECTED: a.log\nDIR: checksums of 2 files recorded (4 bytes); accepted: 1 altered\n");
    expect((await run("verify")).code).toBe(0);
  });

  test("lets go of what is gone only when told", async () => {
    await run("update");
    rmSync(join(dir, "a.log"));
    const { code, out } = await run("update");
    expect(code).toBe(1);
    expect(out).toContain("MISSING: a.log\nDIR: nothing recorded");
    expect(await run("update", { allowMissing: true })).toMatchObject({
      code: 0,
      out: "MISSING: a.log\nDIR: checksums of 1 file recorded (2 bytes); accepted: 1 missing\n",
    });
  });

  test("a manifest that cannot be understood stays, unless forced", async () => {
    write(".checksums", "hello\n");
    expect(await run("update")).toEqual({
      code: 2,
      out: "",
      err: "DIR/.checksums: line 1 is no line of sha256sum's\n",
    });
    expect(readFileSync(join(dir, ".checksums"), "utf8")).toBe("hello\n");
    expect((await run("update", { force: true })).code).toBe(0);
    expect((await run("verify")).code).toBe(0);
  });

  test("nothing to record: exit 2, no manifest", async () => {
    rmSync(join(dir, "a.log"));
    rmSync(join(dir, "b.jsonl"));
    expect(await run("update")).toEqual({
      code: 2,
      out: "",
      err: "DIR has no *.log and no *.jsonl: nothing to record\n",
    });
    expect((await run("verify")).err).toContain("has no .checksums");
  });
});

describe("alerts", () => {
  let sink: FakeSink;
  beforeEach(async () => {
    sink = await FakeSink.start();
  });
  afterEach(() => sink.stop());
  const webhook = () => `${sink.url}/services/T000/B000/s3cr3t?token=hunter2`;

  test("one for each file altered or missing, none where all is well", async () => {
    await run("update");
    await run("verify", { webhook: webhook() });
    expect(sink.requests).toEqual([]);
    write("a.log", "A\n");
    rmSync(join(dir, "b.jsonl"));
    expect((await run("verify", { webhook: webhook() })).code).toBe(1);
    expect(sink.requests.map(({ url }) => url)).toEqual(Array(2).fill("/services/T000/B000/s3cr3t?token=hunter2"));
    expect(sink.entries.map((body) => JSON.parse(body) as unknown).sort()).toEqual(
      ["a.log", "b.jsonl"].map((name) => ({ text: `ALERT: Audit log tamper detected on ${hostname()}: ${name}` })),
    );
    expect(sink.requests[0]!.headers["content-type"]).toBe("application/json");
  });

  test.each(["unavailable", "drop"] as const)(
    "%s: said, the verdict stands, and the address is not told",
    async (mode) => {
      await run("update");
      write("a.log", "A\n");
      sink.fail(mode);
      const { code, err, out } = await run("verify", { webhook: webhook() });
      expect(code).toBe(1);
      expect(err).toMatch(/^1 of 1 alerts could not be sent: ./m);
      for (const secret of ["hunter2", "s3cr3t", "127.0.0.1"]) expect(out + err).not.toContain(secret);
    },
  );

  test("nobody there", async () => {
    await run("update");
    write("a.log", "A\n");
    const address = webhook();
    await sink.stop();
    const { code, err } = await run("verify", { webhook: address });
    await sink.restart().catch(() => undefined);
    expect(code).toBe(1);
    expect(err).toContain("alerts could not be sent: connect ECONNREFUSED [secret]");
    expect(err).not.toContain("127.0.0.1");
  });

  test("an address that is none is said before it is needed", async () => {
    await run("update");
    const { code, err } = await run("verify", { webhook: "hooks.example.com/s3cr3t" });
    expect(code).toBe(0);
    expect(err).toBe("warning: the webhook is no http or https URL: nobody would be alerted\n");
  });

  test("a flood of them ends", async () => {
    for (let i = 0; i < 50; i++) write(`${i}.log`, "x");
    await run("update");
    for (let i = 0; i < 50; i++) rmSync(join(dir, `${i}.log`));
    expect((await run("verify", { webhook: webhook() })).code).toBe(1);
    expect(sink.entries).toHaveLength(50);
  });
});

test("words", () => {
  expect(checksumWords("x", undefined)).toEqual({ verb: "verify", directory: "x" });
  expect(checksumWords("verify", "x")).toEqual({ verb: "verify", directory: "x" });
  expect(checksumWords("update", "./update")).toEqual({ verb: "update", directory: "./update" });
  for (const [a, b] of [
    [undefined, undefined],
    ["update", undefined],
    ["verify", ""],
    ["x", "y"],
    ["", undefined],
  ]) {
    expect(checksumWords(a, b)).toBeUndefined();
  }
});

describe("as people type it", () => {
  function cli(env: Record<string, string>, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const options = { cwd: dir, env: { PATH: process.env.PATH ?? "", HOME: dir, ...env }, timeout: 20_000 };
    return new Promise((resolve) => {
      execFile(process.execPath, [LAUNCHER, "checksums", ...args], options, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
      });
    });
  }

  test("verify is the default, and the webhook comes from the environment", async () => {
    expect(await cli({}, "update", ".")).toEqual({
      code: 0,
      out: ".: checksums of 2 files recorded (4 bytes)\n",
      err: "",
    });
    expect(await cli({}, ".")).toEqual({ code: 0, out: ".: 2 files intact (4 bytes)\n", err: "" });
    expect(await cli({}, "--json", "verify", ".")).toMatchObject({ code: 0, out: expect.stringMatching(/^\{.*\}\n$/) });
    write("a.log", "A\n");
    const sink = await FakeSink.start();
    try {
      expect((await cli({ ALERT_WEBHOOK_URL: sink.url }, ".")).code).toBe(1);
      expect(sink.entries).toHaveLength(1);
      expect((await cli({ ALERT_WEBHOOK_URL: sink.url }, ".", "--webhook", `${sink.url}/other`)).code).toBe(1);
      expect(sink.requests.map(({ path }) => path)).toEqual(["/", "/other"]);
    } finally {
      await sink.stop();
    }
  });

  test.each([[[]], [["update"]], [["a", "b"]], [["verify", "a", "b"]], [["--bogus", "."]]])(
    "%j: exit 2",
    async (args) => {
      const { code, out, err } = await cli({}, ...args);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toMatch(/^error: /);
      expect(err).not.toMatch(/\n\s+at /);
    },
  );
});
