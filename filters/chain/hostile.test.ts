/** Who can write the log, and files beside it, must not take the agent's time. Each of these took minutes. */
import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { ChainBench, ChainWriter, linesFile } from "./harness.ts";

const TIMEOUT = 20_000;
const MIB = 1024 * 1024;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "audit-agent-hostile-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test(
  "a line full of the hash that is looked for",
  () => {
    const writer = new ChainWriter();
    const wanted = hash("sha256", "x");
    const forged = `{"n": 1, "_integrity_hash": "${wanted}"}`;
    const lines = [writer.line(), writer.line(wanted.repeat(MIB / 64)), forged, writer.line()];
    const file = linesFile(join(folder(), "audit.jsonl"), lines);
    writeFileSync(file.path, `${file.lines.join("\n")}\n`);
    const bench = new ChainBench();
    bench.read(file);
    bench.end();
    expect(bench.breaks).toMatchObject([{ kind: "edited_or_removed", line: 3 }]);
  },
  TIMEOUT,
);

test(
  "nothing but breaks",
  () => {
    const bench = new ChainBench();
    const lines = Array.from({ length: 150_000 }, (_, i) => (i % 2 === 0 ? "{}" : "x"));
    bench.read(linesFile("/nowhere/audit.jsonl", [...new ChainWriter().lines(10), ...lines]));
    bench.end();
    expect(bench.breaks).toHaveLength(lines.length);
  },
  TIMEOUT,
);

test.each([".jsonl", ".jsonl.gz"])(
  "files beside the log (%s) in which the last entry with a hash is a long way back",
  (ending) => {
    const directory = folder();
    const [one, other] = [new ChainWriter(), new ChainWriter()];
    other.tip = "f".repeat(64);
    const files = [one, other].map((writer, i) => linesFile(join(directory, `audit-${i}.jsonl`), writer.lines(10)));
    for (const { path, lines } of files) writeFileSync(path, `${lines.join("\n")}\n`);
    const packed = ending.endsWith(".gz");
    const body = Buffer.from("{}\n".repeat(((packed ? 60 : 1) * MIB) / 3));
    const bytes = packed ? gzipSync(body, { level: 1 }) : body;
    for (let i = 2; i < 64; i++) writeFileSync(join(directory, `audit-${i}${ending}`), bytes);
    const bench = new ChainBench();
    for (const file of files) bench.read(file);
    bench.end();
    expect(bench.breaks).toMatchObject([{ kind: "edited_or_removed", file: files[1]!.path }]);
  },
  TIMEOUT,
);

test(
  "long entries that follow nothing",
  () => {
    const bench = new ChainBench();
    bench.read(linesFile("/nowhere/audit.jsonl", new ChainWriter().lines(2_000)));
    const text = "y".repeat(MIB / 2);
    const lines = Array.from({ length: 24 }, (_, i) => `{"n": ${i}, "t": "${text}", "_integrity_hash": "${i}"}`);
    for (const line of lines) bench.read(linesFile("/nowhere/audit.jsonl", [line]));
    bench.end();
    expect(bench.breaks).toHaveLength(lines.length);
  },
  TIMEOUT,
);
