import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GzipSource } from "./gzip.ts";
import { openRegular } from "./open.ts";
import { nodeSystem } from "./system.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "gzip-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const content = Buffer.concat(
  Array.from({ length: 4000 }, (_, i) => Buffer.from(`line ${i} ${randomBytes(20).toString("hex")}\n`)),
);

async function open(bytes: Buffer) {
  const path = join(dir, `${randomBytes(4).toString("hex")}.gz`);
  writeFileSync(path, bytes);
  const { file } = await openRegular(path, {
    system: nodeSystem,
    allowedRoots: [],
    onOpen: () => {},
    onClose: () => {},
  });
  return { source: new GzipSource(file), file };
}

async function all(source: GzipSource, step: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const part = await source.read(at, step);
    parts.push(part);
    at += part.length;
    if (part.length < step) return Buffer.concat(parts);
  }
}

test("reads what was compressed, in any steps, and back from anywhere", async () => {
  for (const step of [100, 4096, 1_000_000]) {
    const { source, file } = await open(gzipSync(content));
    expect((await all(source, step)).equals(content)).toBe(true);
    expect((await source.read(10, 50)).equals(content.subarray(10, 60))).toBe(true);
    expect((await source.read(100_000, 50)).equals(content.subarray(100_000, 100_050))).toBe(true);
    expect((await source.read(99_000, 5000)).equals(content.subarray(99_000, 104_000))).toBe(true);
    expect(source.damage).toBeUndefined();
    source.close();
    file.close();
  }
});

test("members one after the other are one content", async () => {
  const half = content.length >> 1;
  const { source, file } = await open(
    Buffer.concat([gzipSync(content.subarray(0, half)), gzipSync(content.subarray(half))]),
  );
  expect((await all(source, 10_000)).equals(content)).toBe(true);
  source.close();
  file.close();
});

test("a cut file gives everything up to the cut, and says so", async () => {
  const whole = gzipSync(content);
  const { source, file } = await open(whole.subarray(0, whole.length >> 1));
  const found = await all(source, 10_000);
  expect(found.length).toBeGreaterThan(content.length * 0.45);
  expect(found.equals(content.subarray(0, found.length))).toBe(true);
  expect(source.damage).toMatch(/unexpected end/);
  source.close();
  file.close();
});

test("a damaged file gives what can be decoded before the damage", async () => {
  const whole = gzipSync(content);
  const at = whole.length >> 1;
  whole.fill(0xff, at, at + 200);
  const { source, file } = await open(whole);
  const found = await all(source, 10_000);
  expect(source.damage).toBeDefined();
  // What stands before the damage came out, to within one deflate block's codes.
  expect(found.length).toBeGreaterThan(content.length * 0.45);
  expect(found.subarray(0, content.length * 0.45).equals(content.subarray(0, content.length * 0.45))).toBe(true);
  source.close();
  file.close();
});

test("what is no gzip at all is damage, not a crash", async () => {
  const { source, file } = await open(Buffer.from("plain text\n"));
  expect((await source.read(0, 100)).length).toBe(0);
  expect(source.damage).toBeDefined();
  source.close();
  file.close();
});
