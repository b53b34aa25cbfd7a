import { appendFileSync, copyFileSync, mkdirSync, renameSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Bench, line, lines, range } from "./harness.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.done());

/** Every id once, in order. */
function expectExactly(expected: string[]): void {
  expect(bench.texts).toEqual(expected);
  expect(new Set(bench.got.map(({ id }) => id)).size).toBe(expected.length);
}

test("reads what is there and what is appended", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 3));
  bench.start();
  await bench.untilCount(3);
  appendFileSync(bench.path("app.log"), lines(3, 5));
  await bench.untilCount(5);
  expectExactly(range(0, 5));
});

test("waits for a directory that is not there yet", async () => {
  const other = new Bench({ paths: ["deep/er/*.log"] });
  other.start();
  mkdirSync(other.path("deep/er"), { recursive: true });
  writeFileSync(other.path("deep/er/a.log"), lines(0, 1));
  await other.untilCount(1);
  await other.done();
});

test("an unfinished line waits for its newline, also across a restart", async () => {
  writeFileSync(bench.path("app.log"), `${lines(0, 2)}${line(2).slice(0, 10)}`);
  bench.start();
  await bench.untilCount(2);
  await bench.stop();
  bench.start();
  appendFileSync(bench.path("app.log"), `${line(2).slice(10)}\n`);
  await bench.untilCount(3);
  expectExactly(range(0, 3));
});

test("rotation by renaming: the old file to its end, then the new one", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 3));
  bench.start();
  await bench.untilCount(3);
  renameSync(bench.path("app.log"), bench.path("app.log.1"));
  appendFileSync(bench.path("app.log.1"), lines(3, 4));
  writeFileSync(bench.path("app.log"), lines(4, 6));
  await bench.untilCount(6);
  expectExactly(range(0, 6));
  expect(bench.changes("renamed", "app.log.1")).toHaveLength(1);
  expect(bench.changes("finished", "app.log.1")).toHaveLength(1);
});

test("rotation while the agent is down", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 3));
  bench.start();
  await bench.untilCount(3);
  await bench.stop();
  appendFileSync(bench.path("app.log"), lines(3, 5));
  renameSync(bench.path("app.log"), bench.path("app.log.1"));
  writeFileSync(bench.path("app.log"), lines(5, 7));
  bench.start();
  await bench.untilCount(7);
  expectExactly(range(0, 7));
  expect(bench.lost).toEqual([]);
});

test("a rotated file's unfinished last line is delivered", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 1) + line(1));
  bench.start();
  await bench.untilCount(1);
  renameSync(bench.path("app.log"), bench.path("app.log.1"));
  writeFileSync(bench.path("app.log"), lines(2, 3));
  await bench.untilCount(3);
  expectExactly(range(0, 3));
});

test("what is written to a finished file is read, and marked late", async () => {
  writeFileSync(bench.path("app.log.1"), lines(0, 2));
  bench.start();
  await bench.untilCount(2);
  writeFileSync(bench.path("app.log"), lines(2, 3));
  await bench.untilCount(3);
  appendFileSync(bench.path("app.log.1"), lines(3, 4));
  await bench.untilCount(4);
  expectExactly(range(0, 4));
  expect(bench.changes("late", "app.log.1")).toHaveLength(1);
});

test("copytruncate: the copy goes on where the original was, the original begins anew", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 3));
  bench.start();
  await bench.untilCount(3);
  bench.pause();
  appendFileSync(bench.path("app.log"), lines(3, 5));
  copyFileSync(bench.path("app.log"), bench.path("app.log.1"));
  truncateSync(bench.path("app.log"), 0);
  appendFileSync(bench.path("app.log"), lines(5, 6));
  bench.resume();
  await bench.untilCount(6);
  await bench.untilChange("truncated", "app.log");
  expectExactly(range(0, 6));
  expect(bench.lost).toEqual([]);
});

test("copytruncate while the agent is down, with the same first line again", async () => {
  const header = `{"header":"the same in every file"}`;
  writeFileSync(bench.path("app.log"), `${header}\n${lines(0, 3)}`);
  bench.start();
  await bench.untilCount(4);
  await bench.stop();
  appendFileSync(bench.path("app.log"), lines(3, 5));
  copyFileSync(bench.path("app.log"), bench.path("app.log.1"));
  truncateSync(bench.path("app.log"), 0);
  appendFileSync(bench.path("app.log"), `${header}\n${lines(5, 20)}`);
  bench.start();
  await bench.untilCount(4 + 2 + 1 + 15);
  expect(bench.texts).toEqual([header, ...range(0, 5), header, ...range(5, 20)]);
  expect(new Set(bench.got.map(({ id }) => id)).size).toBe(22);
});

test("copytruncate without a copy of ours: the unread part is lost, by name and range", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 3));
  bench.start();
  await bench.untilCount(3);
  const read = lines(0, 4).length;
  bench.pause();
  appendFileSync(bench.path("app.log"), lines(3, 4));
  await bench.until(() => bench.holding);
  appendFileSync(bench.path("app.log"), lines(4, 6));
  // Time to see it grow; then it is emptied before it could be read.
  await new Promise((resolve) => setTimeout(resolve, 100));
  truncateSync(bench.path("app.log"), 0);
  appendFileSync(bench.path("app.log"), lines(6, 7));
  bench.resume();
  await bench.until(() => bench.texts.includes(line(6)));
  await bench.until(() => bench.lost.length > 0);
  const lost = bench.lost[0]!;
  expect(lost).toMatchObject({ where: "input", path: bench.path("app.log"), records: 0 });
  expect([lost.from, lost.to, lost.bytes]).toEqual([read, lines(0, 6).length, lines(4, 6).length]);
});

test("an edited copy in a file's place is another file, and said so", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 5));
  bench.start();
  await bench.untilCount(5);
  await bench.stop();
  const edited = lines(0, 5).replace('"i":3', '"i":9');
  writeFileSync(bench.path("new.tmp"), edited);
  renameSync(bench.path("new.tmp"), bench.path("app.log"));
  bench.start();
  await bench.untilCount(10);
  expect(bench.texts.slice(5)).toEqual(edited.trimEnd().split("\n"));
  expect(bench.changes("rolled_back", "app.log")).toHaveLength(1);
  expect(new Set(bench.got.map(({ id }) => id)).size).toBe(10);
});

test("an edited copy in a file's place while the agent watches", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 5));
  bench.start();
  await bench.untilCount(5);
  const edited = lines(0, 5).replace('"i":3', '"i":9');
  writeFileSync(bench.path("new.tmp"), edited);
  renameSync(bench.path("new.tmp"), bench.path("app.log"));
  await bench.untilCount(10);
  expect(bench.changes("rolled_back", "app.log")).toHaveLength(1);
});

test("an exact copy in a file's place goes on", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 5));
  bench.start();
  await bench.untilCount(5);
  copyFileSync(bench.path("app.log"), bench.path("new.tmp"));
  appendFileSync(bench.path("new.tmp"), lines(5, 6));
  renameSync(bench.path("new.tmp"), bench.path("app.log"));
  await bench.untilCount(6);
  expectExactly(range(0, 6));
  expect(bench.changes("rolled_back")).toEqual([]);
});

test("rewriting in place with the same length is noticed", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 5));
  bench.start();
  await bench.untilCount(5);
  writeFileSync(bench.path("app.log"), lines(0, 5).replace('"i":3', '"i":9'));
  await bench.untilCount(10);
  expect(bench.changes("rolled_back", "app.log").length + bench.changes("truncated", "app.log").length).toBe(1);
});

test("files that share their first line are told apart", async () => {
  const header = `{"header":true}\n`;
  writeFileSync(bench.path("a.log"), header + lines(0, 3, "a"));
  writeFileSync(bench.path("b.log"), header + lines(0, 3, "b"));
  writeFileSync(bench.path("c.log"), header);
  bench.start();
  await bench.untilCount(9);
  await bench.stop();
  appendFileSync(bench.path("a.log"), lines(3, 4, "a"));
  appendFileSync(bench.path("b.log"), lines(3, 4, "b"));
  appendFileSync(bench.path("c.log"), lines(0, 1, "c"));
  bench.start();
  await bench.untilCount(12);
  expect(new Set(bench.got.map(({ id }) => id)).size).toBe(12);
  const of = (name: string) => bench.texts.filter((text) => text.includes(`"log":"${name}"`));
  expect([of("a"), of("b"), of("c")]).toEqual([range(0, 4, "a"), range(0, 4, "b"), range(0, 1, "c")]);
});

test("a deleted file is read to its end while the queue is full", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 1));
  bench.start();
  await bench.untilCount(1);
  bench.pause();
  appendFileSync(bench.path("app.log"), lines(1, 2));
  await bench.until(() => bench.holding);
  appendFileSync(bench.path("app.log"), lines(2, 2000));
  unlinkSync(bench.path("app.log"));
  await bench.untilChange("deleted", "app.log");
  expect(bench.input!.vanishing()).toBe(true);
  bench.resume();
  await bench.untilCount(2000);
  expectExactly(range(0, 2000));
  await bench.untilChange("finished", "app.log");
  expect(bench.input!.vanishing()).toBe(false);
  expect(bench.lost).toEqual([]);
});

test("a file first met while the queue is full, then deleted, is counted as lost after a kill", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 1));
  bench.start();
  await bench.untilCount(1);
  bench.pause();
  writeFileSync(bench.path("app.log.1"), lines(1, 10));
  await bench.until(() => bench.holding);
  bench.meanwhile();
  writeFileSync(bench.path("other.log"), lines(10, 50));
  const stored = () => {
    bench.meanwhile();
    return [...bench.positions.values()].join();
  };
  await expect.poll(stored, { timeout: 10_000 }).toContain("other.log");
  appendFileSync(bench.path("app.log.1"), lines(50, 60));
  appendFileSync(bench.path("other.log"), lines(60, 80));
  unlinkSync(bench.path("app.log.1"));
  unlinkSync(bench.path("other.log"));
  await bench.untilChange("deleted", "app.log.1");
  await bench.untilChange("deleted", "other.log");
  bench.meanwhile();
  await bench.kill();
  bench.resume();
  bench.start();
  await bench.until(() => bench.lost.length === 2);
  const size = (...ranges: [number, number][]) => ranges.reduce((sum, [from, to]) => sum + lines(from, to).length, 0);
  const found = bench.lost.map(({ path, from, to, bytes }) => ({ path, from, to, bytes }));
  const [first, second] = [size([1, 10], [50, 60]), size([10, 50], [60, 80])];
  expect(found).toContainEqual({ path: bench.path("app.log.1"), from: 0, to: first, bytes: first });
  expect(found).toContainEqual({ path: bench.path("other.log"), from: 0, to: second, bytes: second });
  const remembered = () => [...bench.positions.values()].filter((value) => JSON.parse(value).lost > 0).length;
  await bench.until(() => remembered() === 2);
  await bench.kill();
  bench.start();
  expect(bench.input!.lostBytes()).toBe(first + second);
});

test("the unfinished end of a deleted file that waits in a full queue is counted as lost after a kill", async () => {
  const hasty = new Bench({ rotateWait: 0 });
  hasty.start();
  hasty.pause();
  writeFileSync(hasty.path("app.log"), `${lines(0, 1)}unfinished`);
  await hasty.until(() => hasty.holding);
  hasty.meanwhile();
  unlinkSync(hasty.path("app.log"));
  await hasty.untilChange("deleted", "app.log");
  hasty.resume();
  hasty.pause();
  await hasty.untilChange("finished", "app.log");
  await hasty.until(() => hasty.holding && hasty.got.length === 1);
  hasty.meanwhile();
  await hasty.kill();
  hasty.start();
  await hasty.until(() => hasty.lost.length > 0, "the loss");
  expect(hasty.lost).toMatchObject([{ from: lines(0, 1).length, bytes: "unfinished".length }]);
  await hasty.done();
});

test("a file that vanished while the agent was down: its unread bytes are lost", async () => {
  const small = new Bench({ chunkBytes: 4096 });
  writeFileSync(small.path("app.log"), lines(0, 1000));
  const input = small.make();
  for await (const batch of input.read()) {
    small.take(batch);
    if (batch.count > 0) break;
  }
  const read = small.got.length;
  unlinkSync(small.path("app.log"));
  small.start();
  await small.until(() => small.lost.length > 0);
  expect(small.lost).toMatchObject([
    { from: lines(0, read).length, to: lines(0, 1000).length, path: small.path("app.log") },
  ]);
  await small.until(() => [...small.positions.values()].some((value) => JSON.parse(value).gone > 0));
  await small.kill();
  small.start();
  await small.stop();
  expect(small.lost).toHaveLength(1);
  await small.done();
});

test("compressed by the rotator: not sent again, and goes on where it was", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 5));
  bench.start();
  await bench.untilCount(5);
  renameSync(bench.path("app.log"), bench.path("app.log.1"));
  writeFileSync(bench.path("app.log"), lines(5, 6));
  await bench.untilCount(6);
  writeFileSync(bench.path("app.log.1.gz"), gzipSync(lines(0, 5)));
  unlinkSync(bench.path("app.log.1"));
  await bench.untilChange("renamed", "app.log.1.gz");
  await bench.stop();
  // And while it is down, with something unread.
  appendFileSync(bench.path("app.log"), lines(6, 8));
  writeFileSync(bench.path("app.log.0.gz"), gzipSync(lines(5, 8)));
  writeFileSync(bench.path("app.log"), lines(8, 9));
  bench.start();
  await bench.untilCount(9);
  expectExactly(range(0, 9));
});

test("a backlog of compressed files in the order they were written, damaged ones as far as they go", async () => {
  writeFileSync(bench.path("app.log.3.gz"), gzipSync(lines(0, 10)));
  const cut = gzipSync(lines(10, 5000));
  writeFileSync(bench.path("app.log.2.gz"), cut.subarray(0, cut.length >> 1));
  writeFileSync(bench.path("app.log.1"), lines(5000, 5010));
  writeFileSync(bench.path("app.log"), lines(5010, 5011));
  bench.start();
  await bench.until(() => bench.texts.includes(line(5010)));
  expect(bench.changes("ended_early", "app.log.2.gz")).toHaveLength(1);
  const numbers = bench.texts.map((text) => Number(/"i":(\d+)/.exec(text)?.[1] ?? -1)).filter((i) => i >= 0);
  expect(numbers.length).toBeGreaterThan(1000);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
});

test("once: everything to its end, unfinished lines too, then it ends; what comes later is read the next time", async () => {
  writeFileSync(bench.path("app.log.1"), lines(0, 2));
  writeFileSync(bench.path("app.log"), lines(2, 4) + line(4));
  await bench.once();
  expectExactly(range(0, 5));
  await bench.once();
  expectExactly(range(0, 5));
  appendFileSync(bench.path("app.log"), `\n${lines(5, 6)}`);
  await bench.once();
  expectExactly(range(0, 6));
});
