import {
  appendFileSync,
  type BigIntStats,
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../agent/api/clock.ts";
import { Bench, line, lines, range } from "./harness.ts";
import { nodeSystem, type System } from "./system.ts";

const DAY_MS = 86_400_000;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.done());

/** Deletes a file and makes others until one has its inode; undefined where the file system does not give one out again. */
function withInodeOf(name: string, text: string): string | undefined {
  const { ino } = statSync(bench.path(name));
  unlinkSync(bench.path(name));
  for (let i = 0; i < 200; i++) {
    const made = `made${i}x.log`;
    writeFileSync(bench.path(made), text);
    if (statSync(bench.path(made)).ino === ino) return made;
    unlinkSync(bench.path(made));
  }
  return undefined;
}

test.each(["down", "running"])("another file with the inode of a deleted one, while the agent is %s", async (agent) => {
  writeFileSync(bench.path("old.log"), lines(0, 50, "old"));
  bench.start();
  await bench.untilCount(50);
  await bench.stop();
  if (agent === "running") bench.start();
  const made = withInodeOf("old.log", lines(0, 90, "new"));
  if (agent === "down") bench.start();
  // Held open its inode cannot be given out; then this is a file like any other.
  if (made === undefined) writeFileSync(bench.path("made.log"), lines(0, 90, "new"));
  await bench.untilCount(140);
  await bench.stop();
  expect(bench.texts).toEqual([...range(0, 50, "old"), ...range(0, 90, "new")]);
  expect(new Set(bench.got.map(({ id }) => id)).size).toBe(140);
  expect(bench.lost).toEqual([]);
});

test("a read and closed file whose inode goes to a longer one: its size stays its own, and nothing of it is lost", async () => {
  const given = new Map<bigint, bigint>();
  /** Not every file system gives an inode out again at once. */
  const again = (stats: BigIntStats) => Object.assign(stats, { ino: given.get(stats.ino) ?? stats.ino });
  const reusing: System = {
    ...nodeSystem,
    stat: async (path) => again(await nodeSystem.stat(path)),
    statOpen: async (fd) => again(await nodeSystem.statOpen(fd)),
  };
  const other = new Bench({}, { system: reusing });
  const gone = () => [...other.positions.values()].some((value) => JSON.parse(value).gone > 0);
  writeFileSync(other.path("app.log.1"), lines(0, 2));
  await other.start().untilCount(2);
  writeFileSync(other.path("app.log"), lines(2, 4));
  await other.untilChange("finished", "app.log.1");
  await other.untilCount(4);
  const { ino } = statSync(other.path("app.log.1"), { bigint: true });
  renameSync(other.path("app.log"), other.path("app.log.2"));
  writeFileSync(other.path("app.log"), lines(4, 9));
  given.set(statSync(other.path("app.log"), { bigint: true }).ino, ino);
  unlinkSync(other.path("app.log.1"));
  renameSync(other.path("app.log.2"), other.path("app.log.1"));
  await other.untilCount(9);
  await other.until(gone, "the deleted file to be gone");
  expect(other.texts).toEqual(range(0, 9));
  expect(other.lost).toEqual([]);
  await other.done();
});

test("a read and closed file that is renamed and written to before the next look is read on", async () => {
  writeFileSync(bench.path("app.log.1"), lines(0, 2));
  await bench.start().untilCount(2);
  writeFileSync(bench.path("app.log"), lines(2, 4));
  await bench.untilChange("finished", "app.log.1");
  await bench.untilCount(4);
  renameSync(bench.path("app.log.1"), bench.path("app.log.2"));
  appendFileSync(bench.path("app.log.2"), lines(4, 6));
  await bench.untilCount(6);
  expect(bench.texts).toEqual(range(0, 6));
  expect(bench.lost).toEqual([]);
});

test("what is gone is remembered for 30 days: a file that comes back within them goes on, after them it is new", async () => {
  let ahead = 0;
  const clock: Clock = { now: () => systemClock.now() + ahead, monotonic: systemClock.monotonic };
  const long = new Bench({}, { clock });
  const gone = () => [...long.positions.values()].filter((value) => JSON.parse(value).gone > 0).length;
  writeFileSync(long.path("app.log"), lines(0, 3));
  await long.start().untilCount(3);
  await long.stop();
  unlinkSync(long.path("app.log"));
  await long.start().until(() => gone() === 1);
  await long.stop();
  ahead = 29 * DAY_MS;
  await long.start().stop();
  expect(gone()).toBe(1);
  writeFileSync(long.path("app.log"), lines(0, 4));
  await long.start().untilCount(4);
  expect(long.texts).toEqual(range(0, 4));
  unlinkSync(long.path("app.log"));
  await long.until(() => gone() === 1);
  await long.stop();
  ahead += 31 * DAY_MS;
  await long.start().stop();
  // Only that the input has started is remembered.
  expect(long.positions.size).toBe(1);
  writeFileSync(long.path("app.log"), lines(0, 4));
  await long.start().untilCount(8);
  await long.done();
});

test("a busy log does not keep a quiet one waiting: one read each, by turns", async () => {
  const small = new Bench({ chunkBytes: 4096 });
  writeFileSync(small.path("busy.log"), lines(0, 20_000, "busy"));
  writeFileSync(small.path("quiet.log"), lines(0, 10, "quiet"));
  await small.start().untilCount(20_010);
  const last = small.texts.lastIndexOf(range(9, 10, "quiet")[0]!);
  expect(last).toBeLessThan(500);
  await small.done();
});

test("a file that may not be read is said once, stops nothing, and is read when it may be", async () => {
  const mine = process.getuid!();
  const nobody = 65_534;
  const denying: System = {
    ...nodeSystem,
    // As the user the agent runs as in production; root may read everything. Opening is decided when it is asked for.
    open: (path, flags) => {
      if (mine !== 0) return nodeSystem.open(path, flags);
      const { mode, uid } = statSync(path);
      const may = uid === nobody ? mode & 0o400 : mode & 0o004;
      return may
        ? nodeSystem.open(path, flags)
        : Promise.reject(Object.assign(new Error("denied"), { code: "EACCES" }));
    },
  };
  const other = new Bench({ rescanInterval: 50 }, { system: denying });
  writeFileSync(other.path("secret.log"), lines(0, 2, "secret"), { mode: 0o600 });
  writeFileSync(other.path("app.log"), lines(0, 2));
  chmodSync(other.path("secret.log"), 0);
  other.start();
  await other.untilCount(2);
  await other.untilChange("unreadable", "secret.log");
  expect(other.input!.trouble()!.reason).toBe(
    `cannot read ${other.path("secret.log")}: the agent's user may not read it (EACCES)`,
  );
  writeFileSync(other.path("app2.log"), lines(2, 4));
  await other.untilCount(4);
  if (mine === 0) chownSync(other.path("secret.log"), nobody, nobody);
  chmodSync(other.path("secret.log"), 0o400);
  await other.untilCount(6);
  expect(other.changes("unreadable")).toHaveLength(1);
  expect(other.changes("readable")).toHaveLength(1);
  expect(other.input!.trouble()).toBeUndefined();
  expect(other.lost).toEqual([]);
  await other.done();
});

test("a directory that cannot be listed loses nothing of what was known in it", async () => {
  const failing: System = {
    ...nodeSystem,
    list: (path) =>
      denied ? Promise.reject(Object.assign(new Error("denied"), { code: "EACCES" })) : nodeSystem.list(path),
  };
  let denied = false;
  const other = new Bench({ paths: ["sub/*.log"], rescanInterval: 50, watch: "poll" }, { system: failing });
  mkdirSync(other.path("sub"));
  writeFileSync(other.path("sub/app.log"), lines(0, 2));
  await other.start().untilCount(2);
  await other.stop();
  denied = true;
  other.start();
  await other.untilChange("unreadable", "sub");
  denied = false;
  writeFileSync(other.path("sub/app.log"), lines(0, 5));
  await other.untilCount(5);
  expect(other.texts).toEqual(range(0, 5));
  expect(other.lost).toEqual([]);
  await other.done();
});

test("a copy that was met first and read to its end: its original goes on from there, and what it gets is nothing late", async () => {
  writeFileSync(bench.path("app.log.1"), lines(0, 10));
  writeFileSync(bench.path("app.log.0"), lines(10, 20));
  utimesSync(bench.path("app.log.1"), 1_000_000, 1_000_000);
  bench.start();
  await bench.untilChange("finished", "app.log.1");
  writeFileSync(bench.path("app.log"), lines(0, 10) + lines(20, 30));
  await bench.untilCount(30);
  await bench.untilChange("skipped", "app.log.1");
  appendFileSync(bench.path("app.log"), lines(30, 40));
  await bench.untilCount(40);
  await bench.stop();
  expect(bench.texts).toEqual(range(0, 40));
  expect(bench.changes("late")).toEqual([]);
});

test("a compressed copy that is shorter than what was read of its original is skipped, and nothing is lost", async () => {
  writeFileSync(bench.path("app.log"), lines(0, 20));
  bench.start();
  await bench.untilCount(20);
  await bench.stop();
  writeFileSync(bench.path("app.log.1.gz"), gzipSync(lines(0, 10)));
  writeFileSync(bench.path("app.log"), lines(20, 60));
  bench.start();
  await bench.untilChange("skipped", "app.log.1.gz");
  await bench.untilCount(60);
  await bench.stop();
  expect(bench.texts).toEqual(range(0, 60));
  expect(bench.lost).toEqual([]);
});

test("files that begin alike, rotated and compressed while the agent was down: each goes on where it was left", async () => {
  const compress = (name: string, content: string, mtime: number) => {
    writeFileSync(bench.path(name), gzipSync(content));
    utimesSync(bench.path(name), mtime, mtime);
  };
  const header = '{"log":"header"}\n';
  const newest = header + lines(5, 30);
  writeFileSync(bench.path("app.log.1"), header + lines(0, 5));
  writeFileSync(bench.path("app.log"), newest);
  bench.start();
  await bench.untilCount(32);
  await bench.stop();
  // The newer file was read further, so it looks the likelier original of what is compressed.
  compress("app.log.2.gz", header + lines(0, 5), 1_000_000);
  unlinkSync(bench.path("app.log.1"));
  appendFileSync(bench.path("app.log"), lines(30, 35));
  renameSync(bench.path("app.log"), bench.path("app.log.1"));
  writeFileSync(bench.path("app.log"), header + lines(35, 40));
  bench.start();
  await bench.until(() => bench.texts.includes(line(39)));
  await bench.stop();
  // Twice, and only the last two are not compressed yet.
  renameSync(bench.path("app.log.2.gz"), bench.path("app.log.4.gz"));
  compress("app.log.3.gz", newest + lines(30, 35), 2_000_000);
  compress("app.log.2.gz", header + lines(35, 45), 3_000_000);
  unlinkSync(bench.path("app.log.1"));
  writeFileSync(bench.path("app.log.1"), header + lines(45, 50));
  writeFileSync(bench.path("app.log"), header + lines(50, 55));
  bench.start();
  await bench.until(() => bench.texts.includes(line(54)));
  await bench.stop();
  expect(bench.texts.filter((text) => !header.startsWith(text))).toEqual(range(0, 55));
  expect(bench.lost).toEqual([]);
});

test("a compressed file that only begins like a lost one says nothing of it, whenever the agent is killed", async () => {
  const header = '{"log":"header"}\n';
  const small = new Bench({ chunkBytes: 4096 });
  writeFileSync(small.path("app.log"), header + lines(0, 1000));
  for await (const batch of small.make().read()) {
    small.take(batch);
    if (batch.count > 0) break;
  }
  unlinkSync(small.path("app.log"));
  small.start();
  await small.until(() => small.lost.length > 0);
  const lost = small.input!.lostBytes();
  small.pause();
  writeFileSync(small.path("other.log"), lines(0, 1, "b"));
  await small.until(() => small.holding);
  small.meanwhile();
  writeFileSync(small.path("app.log.1.gz"), gzipSync(header + lines(2000, 4000)));
  await small.untilChange("renamed", "app.log.1.gz");
  small.meanwhile();
  await small.kill();
  small.start();
  await small.until(() => small.texts.includes(line(3999)));
  await small.stop();
  expect(small.lost).toHaveLength(1);
  small.start();
  expect(small.input!.lostBytes()).toBe(lost);
  await small.done();
});

test("a compressed file goes on with what its bytes prove, not with an unread file that its name speaks for", async () => {
  const header = '{"log":"header"}\n';
  writeFileSync(bench.path("app.log.2"), header + lines(0, 5));
  writeFileSync(bench.path("app.log"), header + lines(5, 30));
  bench.start();
  await bench.untilCount(32);
  await bench.stop();
  // As if it had been met and not been read.
  for (const [key, value] of bench.positions) {
    if (value.includes("app.log.2"))
      bench.positions.set(key, JSON.stringify({ ...JSON.parse(value), off: 0, proof: "" }));
  }
  unlinkSync(bench.path("app.log.2"));
  writeFileSync(bench.path("app.log.2.gz"), gzipSync(header + lines(5, 35)));
  utimesSync(bench.path("app.log.2.gz"), 1_000_000, 1_000_000);
  unlinkSync(bench.path("app.log"));
  bench.start();
  await bench.until(() => bench.texts.includes(line(34)));
  await bench.stop();
  expect(bench.texts.filter((text) => !header.startsWith(text))).toEqual(range(0, 35));
});
