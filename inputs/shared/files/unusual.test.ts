import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Bench, line, lines, range } from "./harness.ts";
import { nodeSystem, type System } from "./system.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.done());

test("a FIFO, a socket, a link and a directory named like a log are refused, each once, and stop nothing", async () => {
  execFileSync("mkfifo", [bench.path("fifo.log")]);
  const server = createServer().listen(bench.path("socket.log"));
  writeFileSync(bench.path("secret"), lines(0, 1, "secret"));
  symlinkSync(bench.path("secret"), bench.path("link.log"));
  mkdirSync(bench.path("directory.log"));
  writeFileSync(bench.path("app.log"), lines(0, 2));
  bench.start();
  await bench.untilCount(2);
  for (const name of ["fifo.log", "socket.log", "link.log", "directory.log"]) {
    await bench.untilChange("refused", name);
  }
  appendFileSync(bench.path("app.log"), lines(2, 3));
  await bench.untilCount(3);
  await bench.stop();
  server.close();
  expect(bench.changes("refused")).toHaveLength(4);
  expect(bench.texts).toEqual(range(0, 3));
});

test("a file whose name is not UTF-8 is refused by name, not passed over in silence", async () => {
  const name = Buffer.concat([Buffer.from(`${bench.path("bad")}`), Buffer.from([0xff]), Buffer.from(".log")]);
  writeFileSync(name, lines(0, 1));
  writeFileSync(bench.path("good.log"), lines(1, 2));
  bench.start();
  await bench.untilCount(1);
  await bench.untilChange("refused", "bad\ufffd.log");
  await bench.stop();
  expect(bench.texts).toEqual(range(1, 2));
});

test("links are followed where it is allowed, and only there", async () => {
  const linked = new Bench({ followSymlinks: true });
  mkdirSync(linked.path("inside"));
  mkdirSync(linked.path("outside"));
  const allowed = new Bench({ paths: [linked.path("*.log").slice(1)] });
  Object.assign(allowed.options, {
    paths: [linked.path("*.log")],
    followSymlinks: true,
    allowedRoots: [linked.path("inside")],
  });
  writeFileSync(linked.path("inside/a"), lines(0, 1, "in"));
  writeFileSync(linked.path("outside/a"), lines(0, 1, "out"));
  symlinkSync(linked.path("inside/a"), linked.path("in.log"));
  symlinkSync(linked.path("outside/a"), linked.path("out.log"));
  allowed.start();
  await allowed.untilCount(1);
  await allowed.until(() => allowed.events.some((event) => event.is === "file" && event.change === "refused"));
  expect(allowed.texts).toEqual(range(0, 1, "in"));
  await allowed.done();
  await linked.done();
});

test("two names of one file are one file", async () => {
  writeFileSync(bench.path("a.log"), lines(0, 2));
  linkSync(bench.path("a.log"), bench.path("b.log"));
  bench.start();
  await bench.untilCount(2);
  unlinkSync(bench.path("a.log"));
  appendFileSync(bench.path("b.log"), lines(2, 3));
  await bench.untilCount(3);
  await bench.stop();
  expect(bench.texts).toEqual(range(0, 3));
});

test("changes are polled for where that is asked for", async () => {
  const polling = new Bench({ watch: "poll" });
  writeFileSync(polling.path("app.log"), lines(0, 1));
  polling.start();
  await polling.untilCount(1);
  appendFileSync(polling.path("app.log"), lines(1, 2));
  await polling.untilCount(2);
  writeFileSync(polling.path("new.log"), lines(2, 3));
  await polling.untilCount(3);
  await polling.done();
});

test("nothing of a file is read before its first line is complete", async () => {
  writeFileSync(bench.path("app.log"), line(0).slice(0, 9));
  writeFileSync(bench.path("other.log"), lines(0, 1, "b"));
  bench.start();
  await bench.untilCount(1);
  appendFileSync(bench.path("app.log"), `${line(0).slice(9)}\n`);
  await bench.untilCount(2);
  expect(bench.texts).toEqual([line(0, "b"), line(0)]);
});

test("read_from: end and ignore_older are for the first start only, and count what they skip", async () => {
  const late = new Bench({ readFrom: "end" });
  writeFileSync(late.path("app.log"), lines(0, 3) + line(3).slice(0, 5));
  late.start();
  await late.untilChange("skipped", "app.log");
  expect(late.changes("skipped")[0]!.bytes).toBe(lines(0, 3).length);
  appendFileSync(late.path("app.log"), `${line(3).slice(5)}\n`);
  await late.untilCount(1);
  await late.stop();
  writeFileSync(late.path("new.log"), lines(0, 2, "new"));
  late.start();
  await late.untilCount(3);
  expect(late.texts).toEqual([line(3), ...range(0, 2, "new")]);
  await late.done();
});

test("a line that is too long travels cut and is said; the file goes on", async () => {
  const short = new Bench({ maxLineBytes: 1000, chunkBytes: 512 });
  writeFileSync(short.path("app.log"), `${"x".repeat(5000)}\n${lines(0, 2)}${"y".repeat(3000)}\n${lines(2, 3)}`);
  short.start();
  await short.untilCount(5);
  expect(short.events.filter((event) => event.is === "line_cut")).toMatchObject([{ length: 5000 }, { length: 3000 }]);
  await short.stop();
  appendFileSync(short.path("app.log"), lines(3, 4));
  short.start();
  await short.untilCount(6);
  expect(short.texts.slice(-2)).toEqual(range(2, 4));
  await short.done();
});

test("more files than may be open are all read, and a removed directory ends nothing", async () => {
  const many = new Bench({ maxOpenFiles: 5, paths: ["deep/*.log"] });
  mkdirSync(many.path("deep"));
  for (let i = 0; i < 30; i++) writeFileSync(many.path(`deep/n${i}x.log`), lines(0, 20, `n${i}`));
  many.start();
  await many.untilCount(600);
  for (let i = 0; i < 30; i++) appendFileSync(many.path(`deep/n${i}x.log`), lines(20, 21, `n${i}`));
  await many.untilCount(630);
  expect(new Set(many.got.map(({ id }) => id)).size).toBe(630);
  rmSync(many.path("deep"), { recursive: true });
  await many.untilChange("deleted");
  mkdirSync(many.path("deep"));
  writeFileSync(many.path("deep/again.log"), lines(0, 1, "again"));
  await many.untilCount(631);
  await many.done();
});

test("with more live files than may be open, those that were read are closed until they grow", async () => {
  const system = counting();
  const many = new Bench({ maxOpenFiles: 5, groupBy: "file", paths: ["live/*.log"] }, { system });
  const folder = many.path("live");
  const held = () =>
    readdirSync("/proc/self/fd").filter((fd) => linkOf(`/proc/self/fd/${fd}`)?.startsWith(folder)).length;
  mkdirSync(folder);
  for (let i = 0; i < 30; i++) writeFileSync(many.path(`live/n${i}x.log`), lines(0, 2, `n${i}`));
  many.start();
  await many.untilCount(60);
  await vi.waitFor(() => expect(held()).toBeLessThanOrEqual(5));
  const before = system.opened;
  for (let i = 0; i < 30; i++) appendFileSync(many.path(`live/n${i}x.log`), lines(2, 3, `n${i}`));
  await many.untilCount(90);
  expect(new Set(many.got.map(({ id }) => id)).size).toBe(90);
  expect(system.opened).toBeGreaterThan(before);
  await vi.waitFor(() => expect(held()).toBeLessThanOrEqual(5));
  await many.done();
});

test("a file that is passed over as too old is opened once, and read on when it grows", async () => {
  const system = counting();
  const old = new Bench({ ignoreOlder: 60_000, maxOpenFiles: 5 }, { system });
  for (let i = 0; i < 30; i++) {
    writeFileSync(old.path(`n${i}.log`), lines(0, 2, `n${i}`));
    utimesSync(old.path(`n${i}.log`), 1, 1);
  }
  old.start();
  await vi.waitFor(() => expect(old.changes("skipped")).toHaveLength(30));
  await setTimeout(3 * old.options.rotateWait);
  expect(system.opened).toBe(30);
  appendFileSync(old.path("n7.log"), lines(2, 3, "n7"));
  await old.untilCount(1);
  await old.done();
});

test("what a file cannot be: empty, only blank lines, not text", async () => {
  writeFileSync(bench.path("empty.log"), "");
  writeFileSync(bench.path("blank.log"), "\n\n\n");
  writeFileSync(bench.path("binary.log"), Buffer.from([0, 255, 254, 10, 0, 10]));
  bench.start();
  await bench.untilCount(2);
  appendFileSync(bench.path("empty.log"), lines(0, 1));
  appendFileSync(bench.path("blank.log"), lines(0, 1, "b"));
  await bench.untilCount(4);
});

/** Descriptors come and go while they are listed. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** The real one; it counts what is opened. */
function counting(): System & { opened: number } {
  const system = {
    ...nodeSystem,
    opened: 0,
    async open(path: string, flags: number) {
      system.opened++;
      return await nodeSystem.open(path, flags);
    },
  };
  return system;
}
