import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Disk, realDisk } from "../state/disk.ts";
import { createCursor } from "./cursor.ts";
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
