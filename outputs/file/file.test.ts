import { execFile } from "node:child_process";
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { ObjectPlan, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import file from "./index.ts";
import { FileOutput, type FileSettings } from "./output.ts";
import { readSealed } from "./sealed-file.ts";

const DAY = 86_400_000;
/** Every byte of the protocol is tried in append.test.ts and seal.test.ts; here, with real syncs, every eleventh. */
const STEP = 11;
const never = new AbortController().signal;
const key = Buffer.alloc(32, 1);
let home: string;
let path: string;
let now = 0;
let events: AgentEvent[] = [];
const opened: FileOutput[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "file-"));
  path = join(home, "archive", "audit.jsonl");
  now = Date.now();
  events = [];
});
afterEach(async () => {
  for (const output of opened.splice(0)) await output.close();
  await rm(home, { recursive: true, force: true });
});

function open(settings: Partial<FileSettings> = {}): FileOutput {
  const output = new FileOutput(
    {
      path,
      format: "json",
      rotateSize: undefined,
      rotateAge: undefined,
      compression: "none",
      key: undefined,
      ...settings,
    },
    {
      alias: "archive",
      node: "n",
      version: "0",
      clock: { now: () => now, monotonic: () => now },
      fields: new Scanner([...file.fields!(file.options.parse(file.example)), "metadata"]),
      emit: (event) => void events.push(event),
    },
  );
  opened.push(output);
  return output;
}

let plans = 0;
/** A plan as the lane stores it, for these lines. */
async function planOf(
  output: FileOutput,
  lines: readonly string[],
): Promise<{ plan: Omit<ObjectPlan, "repeat">; lines: readonly string[] }> {
  const batch = batchOf(lines);
  const partition = output.partition(batch, 0);
  const plan = { id: `plan ${++plans}`, partition, first: "a", last: "b", records: lines.length };
  return { plan: { ...plan, note: await output.prepare(plan) }, lines };
}

async function write(
  output: FileOutput,
  { plan, lines }: Awaited<ReturnType<typeof planOf>>,
  repeat = false,
): Promise<WriteResult> {
  const batches = (async function* () {
    yield batchOf(lines);
  })();
  return await output.writeObject(batches, { ...plan, repeat }, never);
}

const append = async (output: FileOutput, lines: readonly string[]) => await write(output, await planOf(output, lines));
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
const names = async () => (await readdir(join(home, "archive"))).sort();

async function unsealed(name = path): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of readSealed(name, key)) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe("files", () => {
  it("are named by the entry's own time and by tag, private, in private directories", async () => {
    const output = open({ path: join(home, "archive", "$TAG", "a-%Y-%m-%d.jsonl") });
    const batch = batchOf(['{"timestamp":"2026-03-04T23:30:00-01:00"}', '{"n":1}', "text"], { tag: "../x" });
    const named = [0, 1, 2].map((i) => output.partition(batch, i).slice(home.length));
    expect(named).toEqual([
      "/archive/___x/a-2026-03-05.jsonl",
      "/archive/___x/a-2026-02-01.jsonl",
      "/archive/___x/a-2026-02-01.jsonl",
    ]);
    await append(output, ['{"timestamp":"2026-03-04T00:00:00Z"}']);
    const directory = join(home, "archive", "audit.test");
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "a-2026-03-04.jsonl"))).mode & 0o777).toBe(0o600);
  });

  it("go on where others left off, on a line of their own", async () => {
    await mkdir(join(home, "archive"));
    await writeFile(path, "not ours");
    await append(open(), entries(2));
    expect(await readFile(path, "utf8")).toBe(`not ours\n${text(entries(2))}`);
  });

  it.each(["symlink", "directory", "fifo"])("are regular files, not a %s", async (kind) => {
    await mkdir(join(home, "archive"));
    if (kind === "symlink") await symlink(join(home, "elsewhere"), path);
    if (kind === "directory") await mkdir(path);
    if (kind === "fifo") await promisify(execFile)("mkfifo", [path]);
    const output = open();
    await expect(append(output, entries(1))).rejects.toThrow();
    expect(await readdir(home)).toEqual(["archive"]);
  });
});

describe("the same write again", () => {
  it.each<[string, Partial<FileSettings>]>([
    ["plain", {}],
    ["encrypted", { key }],
    ["encrypted, compressed", { key, compression: "zstd" }],
  ])("stands there once, wherever it was cut off: %s", async (_, settings) => {
    const first = open(settings);
    await append(first, entries(3));
    const { size: before } = await stat(path);
    const planned = await planOf(first, entries(3, 3));
    await write(first, planned);
    const { size: after } = await stat(path);
    const content = settings.key ? unsealed : () => readFile(path, "utf8");
    for (let size = after; size >= before; size -= STEP) {
      await truncate(path, size);
      await write(open(settings), planned, true);
      expect(await content(), `cut at ${size}`).toBe(text(entries(6)));
      for (const output of opened.splice(0)) await output.close();
    }
    expect(await write(open(settings), planned, true)).toEqual({ repeated: 3 });
  });

  it.each([undefined, key])("begins the file, wherever that was cut off", async (withKey) => {
    const planned = await planOf(open({ key: withKey }), entries(2));
    await write(open({ key: withKey }), planned);
    const { size: after } = await stat(path);
    for (let size = after; size >= 0; size -= STEP) {
      await truncate(path, size);
      await write(open({ key: withKey }), planned, true);
      expect(withKey ? await unsealed() : await readFile(path, "utf8")).toBe(text(entries(2)));
    }
    await unlink(path);
    await write(open({ key: withKey }), planned, true);
    expect(withKey ? await unsealed() : await readFile(path, "utf8")).toBe(text(entries(2)));
  });

  it("is found in a file that was renamed since", async () => {
    const output = open();
    await append(output, entries(2));
    const planned = await planOf(output, entries(2, 2));
    await write(output, planned);
    await rename(path, `${path}.1`);
    expect(await write(open(), planned, true)).toEqual({ repeated: 2 });
    await rename(`${path}.1`, `${path}.gone`);
    expect(await write(open(), planned, true)).toEqual({});
    expect(await readFile(path, "utf8")).toBe(text(entries(2, 2)));
    expect(events).toMatchObject([{ is: "notice", level: "warn" }]);
  });

  it("is made by a second call while the first, given up, still goes on", async () => {
    const output = open();
    const planned = await planOf(output, entries(1_000));
    await Promise.all([write(output, planned), write(output, planned, true), write(output, planned, true)]);
    expect(await readFile(path, "utf8")).toBe(text(entries(1_000)));
  });

  it("cuts nothing that somebody else put into an encrypted file", async () => {
    const output = open({ key });
    const planned = await planOf(output, entries(1));
    await writeFile(path, "x".repeat(100), { flag: "a" }).catch(async () => {
      await mkdir(join(home, "archive"));
      await writeFile(path, "x".repeat(100));
    });
    await write(output, planned, true);
    expect(await readFile(`${path}.1`, "utf8")).toBe("x".repeat(100));
    expect(await unsealed()).toBe(text(entries(1)));
  });
});

describe("rotation", () => {
  it("puts a full file away under the next number", async () => {
    const output = open({ rotateSize: 100 });
    for (let n = 0; n < 4; n++) await append(output, entries(1, n));
    expect(await names()).toEqual(["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]);
    for (let n = 0; n < 3; n++) expect(await readFile(`${path}.${n + 1}`, "utf8")).toBe(text(entries(1, n)));
  });

  it("never reuses a number, and overwrites nothing", async () => {
    await mkdir(join(home, "archive"));
    await writeFile(`${path}.7.gz`, "seventh");
    await writeFile(`${path}.x`, "other");
    const output = open({ rotateSize: 1 });
    for (let n = 0; n < 2; n++) await append(output, entries(1, n));
    expect(await names()).toEqual(["audit.jsonl", "audit.jsonl.7.gz", "audit.jsonl.8", "audit.jsonl.x"]);
  });

  it("goes by age", async () => {
    const output = open({ rotateAge: DAY });
    await append(output, entries(1));
    await append(output, entries(1, 1));
    now += DAY + 60_000;
    await append(output, entries(1, 2));
    expect(await names()).toEqual(["audit.jsonl", "audit.jsonl.1"]);
    expect(await readFile(`${path}.1`, "utf8")).toBe(text(entries(2)));
  });

  it("happens between writes only: the note still fits after a crash in between", async () => {
    const first = open({ rotateSize: 1 });
    await append(first, entries(1));
    const planned = await planOf(first, entries(1, 1));
    await write(open({ rotateSize: 1 }), planned, true);
    await write(open({ rotateSize: 1 }), planned, true);
    expect(await names()).toEqual(["audit.jsonl", "audit.jsonl.1"]);
    expect(await readFile(path, "utf8")).toBe(text(entries(1, 1)));
  });

  it("puts away what cannot be appended to: plain before encrypted, another key, encrypted before plain", async () => {
    await append(open(), entries(1));
    await append(open({ key }), entries(1, 1));
    await append(open({ key: Buffer.alloc(32, 2) }), entries(1, 2));
    await append(open(), entries(1, 3));
    expect(await names()).toEqual(["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]);
    expect(await readFile(`${path}.1`, "utf8")).toBe(text(entries(1)));
    expect(await unsealed(`${path}.2`)).toBe(text(entries(1, 1)));
    expect(await readFile(path, "utf8")).toBe(text(entries(1, 3)));
  });
});

describe("compression", () => {
  it.each([
    ["gzip", "gz", gunzipSync],
    ["zstd", "zst", zstdDecompressSync],
  ] as const)("replaces closed files by %s", async (compression, suffix, unpack) => {
    const output = open({ rotateSize: 1, compression });
    for (let n = 0; n < 3; n++) await append(output, entries(1, n));
    await output.idle();
    expect(await names()).toEqual([
      ".audit-agent-archive.json",
      "audit.jsonl",
      `audit.jsonl.1.${suffix}`,
      `audit.jsonl.2.${suffix}`,
    ]);
    expect(unpack(await readFile(`${path}.1.${suffix}`)).toString()).toBe(text(entries(1)));
    expect((await stat(`${path}.1.${suffix}`)).mode & 0o777).toBe(0o600);
  });

  it("is made good at the next start", async () => {
    const output = open({ rotateSize: 1, compression: "gzip" });
    await append(output, entries(1));
    await append(output, entries(1, 1));
    await output.idle();
    // As after a crash half-way: the file still there, a piece of its compressed form, the list not updated.
    await writeFile(`${path}.1`, gunzipSync(await readFile(`${path}.1.gz`)));
    await rename(`${path}.1.gz`, `${path}.1.gz.tmp`);
    await truncate(`${path}.1.gz.tmp`, 5);
    const list = JSON.stringify({ open: [path], closed: [`${path}.1`] });
    await writeFile(join(home, "archive", ".audit-agent-archive.json"), list);
    const next = open({ rotateSize: 1e9, compression: "gzip" });
    await append(next, entries(1, 2));
    await next.idle();
    expect(await names()).toEqual([".audit-agent-archive.json", "audit.jsonl", "audit.jsonl.1.gz"]);
    expect(gunzipSync(await readFile(`${path}.1.gz`)).toString()).toBe(text(entries(1)));
  });

  it("takes files of past names after a while, and only those it made", async () => {
    const daily = join(home, "archive", "a-%Y-%m-%d.jsonl");
    await mkdir(join(home, "archive"));
    await writeFile(join(home, "archive", "a-2026-01-01.jsonl"), "not ours\n");
    const on = (day: string) => [`{"timestamp":"${day}T00:00:00Z"}`];
    const output = open({ path: daily, compression: "zstd" });
    await append(output, on("2026-01-01"));
    await append(output, on("2026-01-02"));
    now += 5 * 60_000;
    await append(output, on("2026-01-03"));
    now += 6 * 60_000;
    await append(output, on("2026-01-03"));
    await output.idle();
    expect(await names()).toEqual([
      ".audit-agent-archive.json",
      "a-2026-01-01.jsonl",
      "a-2026-01-02.jsonl.1.zst",
      "a-2026-01-03.jsonl",
    ]);
    // A late entry begins the day's file anew.
    await append(output, on("2026-01-02"));
    expect(await names()).toContain("a-2026-01-02.jsonl");
  });

  it("does nothing where its list was damaged", async () => {
    await mkdir(join(home, "archive"));
    await writeFile(join(home, "archive", ".audit-agent-archive.json"), '{"open":[1,{}],"closed":"x');
    await append(open({ compression: "gzip" }), entries(1));
    expect(await readFile(path, "utf8")).toBe(text(entries(1)));
  });
});

describe("options", () => {
  const problems = (options: Record<string, unknown>) => file.check!(file.options.parse({ path, ...options }));

  it("name what to set", () => {
    expect(problems({ encrypt: true }).errors).toMatchObject([
      { path: ["key"], message: expect.stringContaining("openssl") },
    ]);
    expect(problems({ encrypt: true, key: "short" }).errors).toMatchObject([{ path: ["key"] }]);
    expect(problems({ encrypt: true, key: "0".repeat(64) }).errors).toEqual([]);
    expect(problems({ key: "0".repeat(64) }).warnings).toHaveLength(1);
    expect(problems({ path: "/a/%q" }).errors).toMatchObject([{ path: ["path"] }]);
    expect(problems({ path: `/${"x".repeat(500)}` }).errors).toHaveLength(1);
    expect(problems({ path: "/logs/" }).errors).toHaveLength(1);
  });
});

it.skipIf(process.getuid?.() === 0)("says where the directory cannot be written", async () => {
  await mkdir(join(home, "archive"));
  await chmod(join(home, "archive"), 0o500);
  await expect(open().probe()).rejects.toThrow("cannot be written");
});

it("loses nothing and repeats nothing over many appends by others in between", async () => {
  const output = open();
  const mine: string[] = [];
  for (let n = 0; n < 30; n++) {
    const planned = await planOf(output, entries(2, n * 2));
    if (n % 3 === 0) await appendFile(path, `other ${n}\n`).catch(() => {});
    await write(output, planned);
    if (n % 2 === 0) await write(output, planned, true);
    mine.push(...planned.lines);
  }
  const found = (await readFile(path, "utf8")).split("\n").filter((line) => line.startsWith("{"));
  expect(found).toEqual(mine);
});
