/** What is found, with real files. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dir, found, manifest, record, sha, write } from "../../test/fakes/checksum-directory.ts";
import { check } from "./check.ts";
import { digest } from "./digest.ts";
import { formatLine } from "./manifest.ts";
import { byteName } from "./names.ts";
import { readManifest } from "./store.ts";

describe("what is recorded", () => {
  test("nothing changed; then each file in its own way", async () => {
    for (const name of ["cut.log", "edited.log", "gone.log", "grown.log", "same.jsonl", "swapped.log"])
      write(name, `${name}\n`);
    write("other.txt", "not a log");
    await record();
    expect(new Set((await found()).map((line) => line.split(" ")[0]))).toEqual(new Set(["same"]));
    write("cut.log", "cut");
    write("edited.log", "EDITED.log\n");
    appendFileSync(join(dir, "edited.log"), "and more\n");
    rmSync(join(dir, "gone.log"));
    appendFileSync(join(dir, "grown.log"), "more\n");
    write("fresh.log", "");
    write("swapped.log", "SWAPPED.log\n");
    expect(await found()).toEqual([
      "tampered cut.log (has 3 of the 8 bytes it had)",
      "tampered edited.log (something within the first 11 bytes, which were recorded, was changed)",
      "new fresh.log",
      "missing gone.log",
      "grown grown.log",
      "same same.jsonl",
      "tampered swapped.log (something within the first 12 bytes, which were recorded, was changed)",
    ]);
  });

  test("both files are read-only, and nothing else is left in the directory", async () => {
    write("a.log", "a");
    await record();
    appendFileSync(join(dir, "a.log"), "b");
    await record();
    expect(readdirSync(dir).sort()).toEqual([".checksums", ".checksums.sizes", "a.log"]);
    for (const name of [".checksums", ".checksums.sizes"]) expect(lstatSync(join(dir, name)).mode & 0o777).toBe(0o440);
  });

  test("between its two files a crash leaves what can be checked", async () => {
    write("a.log", "a");
    await record();
    const before = readFileSync(join(dir, ".checksums"));
    appendFileSync(join(dir, "a.log"), "b");
    await record();
    // As if the second of the two had not been reached.
    rmSync(join(dir, ".checksums"));
    writeFileSync(join(dir, ".checksums"), before);
    expect(await found()).toEqual(["grown a.log"]);
    await record();
    expect(await found()).toEqual(["same a.log"]);
  });

  test("sizes that lie make nothing valid", async () => {
    write("a.log", "one\ntwo\n");
    await record();
    write("a.log", "one\nTWO\n");
    for (const size of [0, 1, 4, 7, 8, 9, 1e15]) {
      rmSync(join(dir, ".checksums.sizes"));
      write(".checksums.sizes", `${size} ${formatLine("a.log", sha("one\ntwo\n"))}\n`);
      expect((await found())[0]).toMatch(/^tampered a\.log/);
    }
    write("a.log", "one\ntwo\n");
    expect(await found()).toEqual(["same a.log"]);
  });

  test("a file that is written all the while is recorded as it was at one moment", async () => {
    write("live.log", "x".repeat(300_000));
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) await appendFile(join(dir, "live.log"), "y".repeat(5_000));
    })();
    try {
      for (let i = 0; i < 20; i++) {
        await record();
        expect((await found())[0]).toMatch(/^(grown|same) live\.log$/);
      }
    } finally {
      stop.abort();
      await writing;
    }
    const [line] = (await readManifest(dir))!.lines;
    const [size] = (await readManifest(dir))!.sizes.get(`${line!.hash} live.log`)!;
    expect(sha(readFileSync(join(dir, "live.log"), "latin1").slice(0, size))).toBe(line!.hash);
  });

  test("lengths in one pass", async () => {
    const text = "0123456789".repeat(60_000);
    write("a.log", text);
    const lengths = [0, 1, 262_143, 262_144, 262_145, 600_000, 600_001];
    const { size, at } = await digest(Buffer.from(join(dir, "a.log")), lengths);
    expect(size).toBe(text.length);
    expect([...at]).toEqual(lengths.slice(0, -1).map((length) => [length, sha(text.slice(0, length))]));
  });
});

describe("what is no file", () => {
  test("is not recorded, not followed, and does not hold anything up", async () => {
    write("a.log", "a");
    symlinkSync("a.log", join(dir, "link.log"));
    symlinkSync("nowhere", join(dir, "dangling.log"));
    mkdirSync(join(dir, "folder.log"));
    execFileSync("mkfifo", [join(dir, "pipe.log")]);
    await record();
    expect((await readManifest(dir))!.lines.map(({ name }) => name)).toEqual(["a.log"]);
    expect(await found()).toEqual([
      "same a.log",
      "skipped dangling.log (is a symbolic link, not a file)",
      "skipped folder.log (is a directory, not a file)",
      "skipped link.log (is a symbolic link, not a file)",
      "skipped pipe.log (is a named pipe, not a file)",
    ]);
  });

  test("in place of a file that was recorded it is tampering, also with the same content", async () => {
    for (const name of ["dir.log", "link.log", "pipe.log"]) write(name, name);
    await record();
    for (const name of ["dir.log", "link.log", "pipe.log"]) rmSync(join(dir, name));
    mkdirSync(join(dir, "dir.log"));
    write("copy", "link.log");
    symlinkSync("copy", join(dir, "link.log"));
    execFileSync("mkfifo", [join(dir, "pipe.log")]);
    const was = "not a file as it was when it was recorded";
    expect(await found()).toEqual([
      `tampered dir.log (is a directory, ${was})`,
      `tampered link.log (is a symbolic link, ${was})`,
      `tampered pipe.log (is a named pipe, ${was})`,
    ]);
  });

  test("a manifest that is no file is refused", async () => {
    execFileSync("mkfifo", [join(dir, ".checksums")]);
    await expect(readManifest(dir)).rejects.toThrow(".checksums is a named pipe, not a file");
    rmSync(join(dir, ".checksums"));
    write("elsewhere", "");
    symlinkSync("elsewhere", join(dir, ".checksums"));
    await expect(readManifest(dir)).rejects.toThrow(".checksums is a symbolic link, not a file");
  });

  test("a manifest that cannot be understood names file and line", async () => {
    manifest(`${sha("a")}  a.log\n# fine\nhello\n`);
    await expect(readManifest(dir)).rejects.toThrow(`${join(dir, ".checksums")}: line 3 is no line of sha256sum's`);
  });
});

test("a hard link is a file; one cut while it is read is no crash", async () => {
  write("a.log", "x".repeat(2_000_000));
  linkSync(join(dir, "a.log"), join(dir, "b.log"));
  await record();
  const checking = found();
  truncateSync(join(dir, "a.log"), 10);
  for (const line of await checking) expect(line).toMatch(/^(same|tampered) [ab]\.log/);
});

test.runIf(process.getuid?.() !== 0)("what may not be read is not tampered, and not checked", async () => {
  write("a.log", "a");
  await record();
  chmodSync(join(dir, "a.log"), 0);
  expect((await found())[0]).toMatch(/^unreadable a\.log \(EACCES/);
});

test("names that are no UTF-8 are told apart", async () => {
  for (const byte of [0xf0, 0xf1]) {
    const name = Buffer.from([byte, ...Buffer.from(".log")]);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), String(byte));
    expect(byteName(name)).toHaveLength(5);
  }
  await record();
  expect((await check(dir, await readManifest(dir), { hashNew: false })).findings.map(({ state }) => state)).toEqual([
    "same",
    "same",
  ]);
});
