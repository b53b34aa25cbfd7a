/** Manifests of others, and ours to others: `sha256sum` itself where the machine has it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { dir, found, manifest, record, sha, write } from "../../test/fakes/checksum-directory.ts";
import { check } from "./check.ts";
import { readManifest } from "./store.ts";

const there = spawnSync("sha256sum", ["--version"]).error === undefined;
test.runIf(!there)("without sha256sum half of these tests do not run", () => {
  process.stdout.write(
    "  checksums: there is no sha256sum here; its own reading and writing of manifests is not tested\n",
  );
  expect(process.env.REQUIRE_SERVICES).toBeUndefined();
});
const sha256sum = (...args: string[]) => execFileSync("sha256sum", args, { cwd: dir, encoding: "latin1" });

const ODD = [
  "a.log",
  "b c.jsonl",
  "back\\slash.log",
  "line\nfeed.log",
  "return\r.log",
  "*star.log",
  "#hash.log",
  "é.jsonl",
];

describe("manifests of others", () => {
  test("forms of names, and files the manifest adds", async () => {
    mkdirSync(join(dir, "sub"));
    write("a.log", "a");
    write("notes.txt", "n");
    write("sub/b.log", "b");
    manifest(
      [
        `${sha("a")}  ./a.log`,
        `${sha("a").toUpperCase()} *${dir}/a.log`,
        `${sha("n")}  notes.txt`,
        `${sha("b")}  sub//b.log`,
        `${sha("")}  .checksums`,
      ].join("\n"),
    );
    expect(await found()).toEqual([
      "skipped .checksums (no manifest can hold its own checksum)",
      "same a.log",
      "same notes.txt",
      "same sub/b.log",
    ]);
    await record();
    expect((await readManifest(dir))!.lines.map(({ name }) => name)).toEqual(["a.log", "notes.txt", "sub/b.log"]);
  });

  test("two checksums for one file: both have to hold", async () => {
    write("a.log", "a");
    manifest(`${sha("b")}  a.log\n${sha("a")}  ./a.log\n`);
    expect(await found()).toEqual(["tampered a.log (the manifest has several checksums for it, and not all hold)"]);
  });

  test("growth cannot be told without a size", async () => {
    write("a.log", "ab");
    manifest(`${sha("a")}  a.log\n`);
    expect((await found())[0]).toContain("tampered a.log (its content is another (no size was kept");
  });

  test("what leads out of the directory is not hashed", async () => {
    const outside = mkdtempSync(join(tmpdir(), "checksums-outside-"));
    try {
      writeFileSync(join(outside, "x.log"), "x");
      symlinkSync(outside, join(dir, "way"));
      manifest(
        [
          `${sha("x")}  ../${basename(outside)}/x.log`,
          `${sha("x")}  ${outside}/x.log`,
          `${sha("x")}  way/x.log`,
          `${sha("x")}  ${dir}/way/../../${basename(outside)}/x.log`,
          `${sha("x")}  -`,
        ].join("\n"),
      );
      const lines = await found();
      expect(lines).toHaveLength(5);
      for (const line of lines) expect(line).toMatch(/^outside .*not hashed\)$/);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test("the directory by another way: its real name counts as well", async () => {
    const link = `${dir}-link`;
    symlinkSync(dir, link);
    try {
      write("a.log", "a");
      manifest(`${sha("a")}  ${dir}/a.log\n`);
      const { findings } = await check(link, await readManifest(link), { hashNew: false });
      expect(findings.map(({ name, state }) => [name, state])).toEqual([["a.log", "same"]]);
    } finally {
      rmSync(link);
    }
  });

  test.runIf(there)("sha256sum's own, for odd names too", async () => {
    for (const name of ODD) write(name, name);
    for (const args of [
      ["--", ...ODD],
      ["-b", "--", ...ODD],
      ["--tag", "--", ...ODD],
      ODD.map((name) => `./${name}`),
    ]) {
      rmSync(join(dir, ".checksums"), { force: true });
      writeFileSync(join(dir, ".checksums"), sha256sum(...args.flat()), "latin1");
      expect(new Set((await found()).map((line) => line.split(" ")[0]))).toEqual(new Set(["same"]));
    }
    const find = execFileSync("find", [".", "-name", "*.log", "-exec", "sha256sum", "{}", "+"], { cwd: dir });
    const absolute = sha256sum("--", ...ODD.map((name) => join(dir, name)));
    for (const text of [find, absolute]) {
      rmSync(join(dir, ".checksums"));
      writeFileSync(join(dir, ".checksums"), text, "latin1");
      expect((await found()).filter((line) => !/^(same|new) /.test(line))).toEqual([]);
    }
  });

  test.runIf(there)("sha256sum reads what is written", async () => {
    for (const name of ODD) write(name, name);
    const notUtf8 = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x80]), Buffer.from(".log")]);
    writeFileSync(notUtf8, "bytes");
    await record();
    const said = sha256sum("--check", "--strict", ".checksums");
    expect(said.match(/: OK$/gm)).toHaveLength(ODD.length + 1);
    write("a.log", "changed");
    const { status, stdout } = spawnSync("sha256sum", ["--check", "--quiet", ".checksums"], {
      cwd: dir,
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "a.log: FAILED\n" });
  });
});
