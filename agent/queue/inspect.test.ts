import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { type Disk, realDisk } from "../state/disk.ts";
import { createCursor } from "./cursor.ts";
import { put, QueueHome, reader } from "./harness.ts";
import { inspectQueue } from "./inspect.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "inspect-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As a file system that is mounted read-only, or another user's files. */
const readOnly: Disk = {
  ...realDisk,
  open: (path, mode) =>
    mode === "read"
      ? realDisk.open(path, mode)
      : Promise.reject(Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" })),
};

test("looks also where nothing may be written", async () => {
  mkdirSync(join(dir, "cursors"));
  const record = { seq: 7, index: 3, durable: 9, passed: [10, 1000], tags: ["audit.*"], data: { plan: 1 } } as const;
  await (await createCursor(realDisk, join(dir, "cursors"), "es", record)).close();
  const { cursors } = await inspectQueue({ dir, disk: readOnly });
  expect(cursors).toEqual([{ alias: "es", record }]);
});

test("says where the log has come to: positions, states and totals, over all its segments", async () => {
  const home = await QueueHome.make();
  onTestFinished(() => home.remove());
  for (let run = 0; run < 3; run++) {
    const queue = await home.start();
    // Keeps what it has not read.
    await reader(queue);
    for (let i = 0; i < 20; i++) await put(queue, ["x".repeat(10_000)], i % 2 === 0 ? "even" : "odd", `key-${i}`);
    await queue.close();
  }
  const { state, segments } = await inspectQueue({ dir: home.dir });
  expect(segments.length).toBeGreaterThan(3);
  const reopened = await home.start();
  expect(new Map(state.totals)).toEqual(new Map(reopened.totals()));
  expect(state.totals.get("odd")).toMatchObject({ read: 30, appended: 30 });
  expect(state.positions).toEqual(reopened.positions);
});
