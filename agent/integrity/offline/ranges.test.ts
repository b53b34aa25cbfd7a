/** What is found must not depend on how a file was cut, nor on how many threads looked at it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chainOf, entryAfter, GENESIS, hashIn } from "../../../test/fakes/chain-writer.ts";
import { byAge } from "../../../test/oracle/cases.ts";
import { walk } from "../../../test/oracle/walk.ts";
import { SCHEME_NAMES, schemeOf } from "../scheme.ts";
import { verifyPaths } from "./index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ranges-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const change = fc.record({
  what: fc.constantFrom("edit", "remove", "copy", "swap", "garbage", "strip", "blank", "restart", "fork", "space"),
  at: fc.nat(59),
  many: fc.integer({ min: 1, max: 4 }),
});
const file = fc.record({
  changes: fc.array(change, { maxLength: 4 }),
  end: fc.constantFrom("\n", "\n", "\r\n", "\r"),
  last: fc.boolean(),
});
const log = fc.record({
  scheme: fc.constantFrom(...SCHEME_NAMES),
  entries: fc.integer({ min: 1, max: 60 }),
  files: fc.array(file, { minLength: 1, maxLength: 3 }),
});

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
type Log = typeof log extends fc.Arbitrary<infer T> ? T : never;

function changed(lines: string[], { what, at: where, many }: Change, scheme: Log["scheme"]): string[] {
  if (lines.length === 0) return lines;
  const at = where % lines.length;
  const line = lines[at]!;
  const chained = /"(_integrity_hash|hash)": ?"[0-9a-f]{64}"\}$/.test(line);
  switch (what) {
    case "edit":
      return lines.with(at, line.replace(/"n": ?\d|"seq":\d/, "$&0"));
    case "remove":
      return lines.toSpliced(at, many);
    case "copy":
      return lines.toSpliced(Math.min(lines.length, at + many), 0, line);
    case "swap":
      return lines.toSpliced(at, 2, ...lines.slice(at, at + 2).reverse());
    case "garbage":
      return lines.toSpliced(at, 0, ...Array.from({ length: many }, () => "{broken"));
    case "strip":
      return lines.map((one, i) =>
        i >= at && i < at + many ? one.replace(/,\s?"(_integrity_hash|hash)".*/, "}") : one,
      );
    case "blank":
      return lines.toSpliced(at, 0, ...Array.from({ length: many }, () => ""));
    case "space":
      return lines.with(at, `  ${line}\t`);
    case "restart":
      return lines.toSpliced(at, 0, ...chainOf(scheme, many, GENESIS[scheme], 500));
    case "fork":
      if (!chained || at + 1 >= lines.length) return lines;
      return lines.toSpliced(at + 2, 0, entryAfter(scheme, hashIn(line), 700, "other").line);
  }
}

function write({ scheme, entries, files }: Log): void {
  rmSync(dir, { recursive: true });
  mkdirSync(dir);
  const all = chainOf(scheme, entries);
  const share = Math.ceil(entries / files.length);
  for (const [i, { changes, end, last }] of files.entries()) {
    const own = changes.reduce((lines, one) => changed(lines, one, scheme), all.slice(i * share, (i + 1) * share));
    const path = join(dir, `audit-2026-02-0${i + 1}.jsonl`);
    writeFileSync(path, own.join(end) + (last ? end : ""));
    utimesSync(path, 1000 + i, 1000 + i);
  }
}

test("ranges of any size give the same answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      log,
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 3, maxLength: 3 }),
      async (one, sizes) => {
        write(one);
        const whole = await verifyPaths([dir], { scheme: one.scheme, allBreaks: true });
        for (const rangeSize of sizes) {
          expect(await verifyPaths([dir], { scheme: one.scheme, allBreaks: true, rangeSize })).toEqual(whole);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("the same as the plainest verifier there is, which has everything in memory", async () => {
  await fc.assert(
    fc.asyncProperty(log, async (one) => {
      write(one);
      const { breaks, ...answer } = walk(schemeOf(one.scheme), byAge(dir));
      const found = await verifyPaths([dir], { scheme: one.scheme, order: "mtime", allBreaks: true });
      expect({
        ...found,
        first_tampered_file: found.first_tampered_file && basename(found.first_tampered_file),
        genesis_file: found.genesis_file && basename(found.genesis_file),
      }).toMatchObject(answer);
      expect(found.breaks.map(({ file, line, kind }) => ({ file: basename(file), line, kind }))).toEqual(breaks);
    }),
    { numRuns: 200 },
  );
});

test("compressed files give the same answer", async () => {
  await fc.assert(
    fc.asyncProperty(log, fc.integer({ min: 20, max: 700 }), async (one, rangeSize) => {
      write(one);
      const options = { scheme: one.scheme, order: "mtime", allBreaks: true } as const;
      const plain = JSON.stringify(await verifyPaths([dir], options));
      for (const [i, name] of readdirSync(dir).entries()) {
        const path = join(dir, name);
        const bytes = readFileSync(path);
        rmSync(path);
        const packed = `${path}.${i === 1 ? "zst" : "gz"}`;
        writeFileSync(packed, i === 1 ? zstdCompressSync(bytes) : gzipSync(bytes));
        utimesSync(packed, 1000 + i, 1000 + i);
      }
      const unpacked = JSON.stringify(await verifyPaths([dir], { ...options, rangeSize })).replaceAll(
        /\.(gz|zst)(?=[":])/g,
        "",
      );
      expect(JSON.parse(unpacked)).toEqual(JSON.parse(plain));
    }),
    { numRuns: 40 },
  );
});

test("threads give the same answer", async () => {
  await fc.assert(
    fc.asyncProperty(log, fc.integer({ min: 50, max: 5000 }), async (one, rangeSize) => {
      write(one);
      const options = { scheme: one.scheme, allBreaks: true };
      const here = await verifyPaths([dir], options);
      expect(await verifyPaths([dir], { ...options, rangeSize, jobs: 3 })).toEqual(here);
    }),
    { numRuns: 15 },
  );
});

test.each([1.5, 3])(
  "a compressed file whose first entry has %d MiB is checked, and not taken for one without hashes",
  async (mib) => {
    const text = "x".repeat(mib * 1024 * 1024);
    for (const blank of ["", `\n${" ".repeat(text.length)}\r\n`]) {
      const first = entryAfter("loki-dashboard", GENESIS["loki-dashboard"], 0, text);
      const next = entryAfter("loki-dashboard", first.hash, 1);
      const lines = `${blank}${first.line}\n${next.line.replace('"n": 1', '"n": 2')}\n`;
      writeFileSync(join(dir, "audit-1.jsonl"), lines);
      const plain = await verifyPaths([dir]);
      rmSync(join(dir, "audit-1.jsonl"));
      writeFileSync(join(dir, "audit-1.jsonl.gz"), gzipSync(lines));
      const packed = await verifyPaths([dir]);
      const stdin = await verifyPaths(["-"], { stdin: Readable.from([Buffer.from(lines)]) });
      rmSync(join(dir, "audit-1.jsonl.gz"));
      for (const found of [plain, packed, stdin]) {
        expect(found).toMatchObject({ valid: false, files_skipped: 0, first_tampered_line: blank === "" ? 2 : 4 });
      }
    }
  },
);
