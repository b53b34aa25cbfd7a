/** Which files are meant, and what cannot be checked. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainOf, entryAfter, hashIn } from "../../../test/fakes/chain-writer.ts";
import { verifyPaths } from "./index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "files-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = (count: number, scheme: "loki-dashboard" | "loki-agent" | "app" = "loki-dashboard") =>
  `${chainOf(scheme, count).join("\n")}\n`;
function write(name: string, content: string | Buffer): string {
  mkdirSync(join(dir, name, ".."), { recursive: true });
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}
const files = async (...paths: string[]) => (await verifyPaths(paths)).files.map(({ file }) => basename(file));

describe("a folder", () => {
  test("with audit-*.jsonl: these, and an agent's log beside them", async () => {
    write("audit-2026-02-01.jsonl", text(3));
    write("other.jsonl", text(3, "app"));
    write("audit.jsonl", text(3, "loki-agent"));
    mkdirSync(join(dir, "audit-x.jsonl"));
    expect(await files(dir)).toEqual(["audit-2026-02-01.jsonl", "audit.jsonl"]);
  });

  test("with audit.jsonl: that one", async () => {
    write("audit.jsonl", text(3, "loki-agent"));
    write("witness.jsonl", "{}\n");
    expect(await files(dir)).toEqual(["audit.jsonl"]);
  });

  test("else every log, chains apart", async () => {
    write("billing.log", text(2, "app"));
    write("tasks-1.jsonl", text(4));
    write("notes.txt", "x");
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({ valid: true, files_checked: 2, entries_checked: 6 });
    expect(report.chains.map(({ scheme }) => scheme)).toEqual(["app", "loki-dashboard"]);
  });

  test("of broken chains the first is told, and all are counted", async () => {
    write("a.log", text(2, "app"));
    write("b.log", text(3, "app").replace("paid", "owed"));
    write("c.log", text(4, "app").replace("paid", "owed"));
    const report = await verifyPaths([dir]);
    expect(report).toMatchObject({
      valid: false,
      first_tampered_file: join(dir, "b.log"),
      breaks_total: 2,
      kinds: { edited: 2 },
    });
    await expect(verifyPaths([dir], { expectEntries: 2 })).rejects.toThrow("3 chains");
  });

  test("is no loop for links that are", async () => {
    symlinkSync(".", join(dir, "self"));
    write("audit-1.jsonl", text(2));
    expect(await files(join(dir, "**/audit-*.jsonl"))).toEqual(["audit-1.jsonl"]);
    symlinkSync("audit-2.jsonl", join(dir, "audit-2.jsonl"));
    await expect(files(dir)).rejects.toThrow("audit-2.jsonl: too many symbolic links");
  });
});

describe("files", () => {
  test("named twice are checked once; links are followed", async () => {
    const path = write("audit-1.jsonl", text(2));
    expect(await files(path, dir, join(dir, "*.jsonl"), `${dir}/./audit-1.jsonl`)).toEqual(["audit-1.jsonl"]);
    symlinkSync(path, join(dir, "link"));
    expect(await files(join(dir, "link"))).toEqual(["link"]);
  });

  test("compressed ones are known by what is in them", async () => {
    write("audit-1.jsonl.gz", zstdCompressSync(text(3)));
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, entries_checked: 3 });
    write("audit-1.jsonl.gz", Buffer.concat([gzipSync(text(5).slice(0, 100)), gzipSync(text(5).slice(100))]));
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, entries_checked: 5 });
    write("audit-1.jsonl.gz", text(4));
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, entries_checked: 4 });
  });

  test("a first line of megabytes, compressed", async () => {
    const first = entryAfter("loki-dashboard", "0".repeat(64), 0, "x".repeat(5_000_000));
    const lines = [first.line, ...chainOf("loki-dashboard", 3, first.hash)];
    write("audit-1.jsonl.gz", gzipSync(lines.join("\n")));
    write(
      "audit-2.jsonl.gz",
      gzipSync("\n".repeat(3_000_000) + chainOf("loki-dashboard", 2, hashIn(lines[3]!)).join("\n")),
    );
    expect(await verifyPaths([dir])).toMatchObject({ valid: true, files_checked: 2, entries_checked: 6 });
  });

  test("standard input, compressed or not", async () => {
    for (const content of [Buffer.from(text(3)), gzipSync(text(3)), zstdCompressSync(text(3))]) {
      const bytes = Array.from(content, (_, i) => content.subarray(i, i + 1));
      expect(await verifyPaths(["-"], { stdin: Readable.from(bytes) })).toMatchObject({
        valid: true,
        entries_checked: 3,
      });
    }
    expect(await verifyPaths(["-"], { stdin: Readable.from([]) })).toMatchObject({ reason: "unchained" });
  });
});

describe("cannot be checked", () => {
  test("what is not there", async () => {
    await expect(files(join(dir, "x"))).rejects.toThrow("x: does not exist");
    await expect(files(join(dir, "x*"))).rejects.toThrow("fits no file");
    await expect(files(dir)).rejects.toThrow("no log files");
    symlinkSync("gone.jsonl", join(dir, "audit-1.jsonl"));
    await expect(files(dir)).rejects.toThrow("audit-1.jsonl: does not exist");
  });

  test("what is no file: it is not waited for", async () => {
    execFileSync("mkfifo", [join(dir, "pipe.jsonl")]);
    await expect(files(join(dir, "pipe.jsonl"))).rejects.toThrow("is not a regular file");
    await expect(files("/dev/zero")).rejects.toThrow("is not a regular file");
  });

  test.skipIf(process.getuid?.() === 0)("what may not be read", async () => {
    chmodSync(write("audit-1.jsonl", text(2)), 0);
    await expect(files(dir)).rejects.toThrow("audit-1.jsonl: permission denied");
  });

  test.each([
    ["gz", gzipSync],
    ["zst", zstdCompressSync],
  ])("a .%s that was cut", async (ending, pack) => {
    const packed = pack(text(500));
    const path = write(`audit-1.jsonl.${ending}`, packed.subarray(0, packed.length >> 1));
    await expect(files(path)).rejects.toThrow("ends too early");
  });

  test("a .gz that was damaged", async () => {
    const packed = gzipSync(text(500));
    packed[packed.length - 6]! ^= 0xff;
    await expect(files(write("audit-1.jsonl.gz", packed))).rejects.toThrow("the compressed data is damaged");
  });
});

test.each(["", "\n", " \n\r\n\t\u2028\n", "{}\n", "not JSON\n"])("%j: nothing to verify", async (content) => {
  write("audit-1.jsonl", content as string);
  const nothing = {
    valid: true,
    reason: "unchained",
    scheme: null,
    files_checked: 0,
    files_skipped: 1,
    genesis_file: null,
  };
  expect(await verifyPaths([dir])).toMatchObject(nothing);
  expect(await verifyPaths([dir], { scheme: "loki-dashboard" })).toMatchObject({
    ...nothing,
    reason: null,
    scheme: "loki-dashboard",
  });
});
