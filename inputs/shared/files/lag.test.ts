import { appendFileSync, unlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FileLag } from "../../../agent/api/input.ts";
import type { Catalog } from "./catalog.ts";
import { Bench, lines } from "./harness.ts";
import { Lag } from "./lag.ts";
import { LogFile } from "./log-file.ts";
import type { Memory } from "./position.ts";

const time = { ms: 0 };
const clock = { now: () => 1_770_000_000_000 + time.ms, monotonic: () => performance.now() + time.ms };

let bench: Bench;
beforeEach(() => {
  time.ms = 0;
  bench = new Bench({}, { clock });
});
afterEach(() => bench.done());

test("a file that was read to its end is not behind, a growing one whose bytes find no place is, and for how long", async () => {
  const path = bench.path("app.log");
  const three = lines(0, 3);
  writeFileSync(path, three);
  bench.start();
  await bench.untilCount(3);
  const idle = { path, size: three.length, offset: three.length, bytes: 0, ms: 0, deleted: false };
  await bench.until(() => bench.input!.lag(20).bytes === 0);
  expect(bench.input!.lag(20)).toEqual({ followed: 1, bytes: 0, ms: 0, files: [idle] });

  bench.pause();
  const two = lines(3, 5);
  appendFileSync(path, two);
  await until(() => bench.holding);
  time.ms += 5_000;
  const size = three.length + two.length;
  const late = bench.input!.lag(20);
  expect(late).toMatchObject({ bytes: two.length, files: [{ ...idle, size, bytes: two.length, ms: late.ms }] });
  expect(late.ms).toBeGreaterThanOrEqual(5_000);
  bench.resume();
  await bench.untilCount(5);
  await until(() => bench.input!.lag(20).bytes === 0);
  expect(bench.input!.lag(20).ms).toBe(0);
});

test("the rest of an entry that its writer did not finish keeps nobody waiting", async () => {
  writeFileSync(bench.path("app.log"), `${lines(0, 1)}{"unfinished":`);
  bench.start();
  await bench.untilCount(1);
  time.ms += 60_000;
  await until(() => bench.input!.lag(20).ms === 0);
  expect(bench.input!.lag(20)).toMatchObject({ bytes: 0, ms: 0, files: [{ bytes: 0, ms: 0 }] });
  const [{ size, offset }] = bench.input!.lag(20).files as [FileLag];
  expect(size - offset).toBe(14);
});

test("those furthest behind come first, then those read last; a deleted one is named as such", async () => {
  for (const name of ["a", "b", "c", "d"]) writeFileSync(bench.path(`${name}.log`), lines(0, 1, name));
  bench.start();
  await bench.untilCount(4);
  appendFileSync(bench.path("b.log"), lines(1, 2, "b"));
  await bench.untilCount(5);
  bench.pause();
  appendFileSync(bench.path("c.log"), lines(1, 2, "c"));
  await until(() => bench.holding);
  appendFileSync(bench.path("a.log"), lines(1, 9, "a"));
  unlinkSync(bench.path("c.log"));
  await bench.untilChange("deleted", "c.log");
  await until(() => bench.input!.lag(3).files[0]!.path === bench.path("a.log"));
  const { followed, bytes, files } = bench.input!.lag(3);
  expect(followed).toBe(4);
  expect(files.map(({ path, deleted }) => [path, deleted])).toEqual([
    [bench.path("a.log"), false],
    [bench.path("c.log"), true],
    [bench.path("b.log"), false],
  ]);
  expect(bytes).toBe(lines(1, 9, "a").length + lines(1, 2, "c").length);
});

test("of a compressed file what is still compressed counts as it is on disk", async () => {
  const content = lines(0, 2000);
  const packed = gzipSync(content);
  writeFileSync(bench.path("app.log.gz"), packed);
  bench.pause();
  bench.start();
  await until(() => bench.holding);
  const [file] = bench.input!.lag(1).files;
  expect(file).toMatchObject({ offset: 0, deleted: false });
  expect(file!.bytes).toBeGreaterThanOrEqual(packed.length);
  bench.resume();
  await bench.untilCount(2000);
  await bench.untilChange("finished");
  expect(bench.input!.lag(1)).toMatchObject({ bytes: 0, files: [{ size: content.length, offset: content.length }] });
});

/** Files that grow at will, and what is read of them. */
function made(count: number) {
  const byInode = new Map<string, LogFile>();
  const catalog = { byInode, newcomers: new Set<LogFile>() };
  const lag = new Lag(catalog as unknown as Catalog, { now: () => 0, monotonic: () => time.ms });
  for (let i = 0; i < count; i++) {
    const file = new LogFile(
      `/${i}.log`,
      { inode: `${i}`, size: 0, mtime: i, links: 1, other: undefined },
      false,
      0,
      1e6,
    );
    file.memory = { offset: 0, skipped: false, finished: false } as unknown as Memory;
    file.touched = false;
    byInode.set(file.inode, file);
  }
  const grow = (file: LogFile, bytes: number) => {
    file.size += bytes;
    lag.grew(file);
  };
  const read = (file: LogFile, to: number) => {
    file.memory!.offset = to;
    file.consumed = to;
    file.end = to;
    lag.moved(file);
  };
  return { lag, files: [...byInode.values()], grow, read };
}

test("a file that always grew again before its bytes had their place is not further and further behind", () => {
  const { lag, files, grow, read } = made(1);
  const [file] = files as [LogFile];
  for (let i = 0; i < 10_000; i++) {
    grow(file, 1000);
    time.ms += 5;
    read(file, file.size - 500);
  }
  const { ms, bytes } = lag.ask(20);
  expect(bytes).toBe(500);
  expect(ms).toBeLessThanOrEqual(10);
  // Nothing more is read of it: then it is.
  for (let i = 0; i < 1000; i++) {
    grow(file, 1000);
    time.ms += 5;
  }
  expect(lag.ask(20).ms).toBeGreaterThanOrEqual(5_000);
});

test("a hundred thousand files: those behind cost milliseconds, and rarely; the others nothing", () => {
  const { lag, files, grow, read } = made(100_000);
  for (const file of files) grow(file, 1 + Number(file.inode));
  const first = performance.now();
  const { bytes, files: furthest } = lag.ask(20);
  const behind = performance.now() - first;
  expect(bytes).toBe((100_000 * 100_001) / 2);
  expect(furthest.map(({ path }) => path).slice(0, 2)).toEqual(["/99999.log", "/99998.log"]);
  lag.ask(19);
  const second = performance.now();
  lag.ask(18);
  const warm = performance.now() - second;
  for (const file of files) read(file, file.size);
  time.ms += 60_000;
  expect(lag.ask(20)).toMatchObject({ followed: 100_000, bytes: 0, ms: 0 });
  const again = performance.now();
  lag.ask(20);
  const idle = performance.now() - again;
  process.stdout.write(
    `lag of 100,000 files: all behind ${behind.toFixed(1)} ms, then ${warm.toFixed(1)} ms, none ${idle.toFixed(2)} ms\n`,
  );
  expect(behind).toBeLessThan(1_000);
  expect(idle).toBeLessThan(20);
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}
