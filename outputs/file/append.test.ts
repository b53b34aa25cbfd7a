import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AppendFile, append, appendLines, repeatLines } from "./append.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "append-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Runs `work` on a file with this content; answers its result and what the file holds afterwards. */
async function on<T>(content: string | Buffer, work: (file: AppendFile) => Promise<T>): Promise<[T, string]> {
  const path = join(directory, "file");
  await writeFile(path, content);
  const handle = await open(path, "a+");
  try {
    return [await work(handle), await readFile(path, "latin1")];
  } finally {
    await handle.close();
  }
}

const before = "old 1\nold 2\n";
const group = Buffer.from("new 1\nnew 2\nnew 3\n");
const whole = before + group;
const repeat = (file: AppendFile) => repeatLines(file, before.length, group);

describe("an append made again", () => {
  it("stands there once, wherever the first one was cut off", async () => {
    for (let bytes = 0; bytes < group.length; bytes++) {
      expect(await on(before + group.subarray(0, bytes), repeat)).toEqual([false, whole]);
    }
    expect(await on(whole, repeat)).toEqual([true, whole]);
  });

  it("replaces what a power cut left as zeros", async () => {
    for (let bytes = 0; bytes < group.length; bytes++) {
      const torn = Buffer.concat([Buffer.from(before), group.subarray(0, bytes), Buffer.alloc(group.length - bytes)]);
      expect(await on(torn, repeat)).toEqual([false, whole]);
    }
  });

  it("leaves what others appended meanwhile", async () => {
    const other = "somebody else's\n";
    expect(await on(before + other, repeat)).toEqual([false, before + other + group]);
    expect(await on(before + other + group, repeat)).toEqual([true, before + other + group]);
    expect(await on(whole + other, repeat)).toEqual([true, whole + other]);
    for (let bytes = 0; bytes < group.length; bytes++) {
      const torn = before + other + group.subarray(0, bytes);
      expect(await on(torn, repeat)).toEqual([false, before + other + group]);
    }
    expect(await on(`${before}unfinished`, repeat)).toEqual([false, `${before}unfinished\n${group}`]);
  });

  it("goes on behind a file that was emptied", async () => {
    expect(await on("", repeat)).toEqual([false, group.toString()]);
    expect(await on("ol", repeat)).toEqual([false, `ol\n${group}`]);
  });

  it("stands on a line of its own where the last one had no end", async () => {
    const unfinished = "no newline";
    const joined = `${unfinished}\n${group}`;
    expect(await on(unfinished, (file) => appendLines(file, group))).toEqual([undefined, joined]);
    for (let bytes = 0; bytes < joined.length - unfinished.length; bytes++) {
      const torn = joined.slice(0, unfinished.length + bytes);
      expect(await on(torn, (file) => repeatLines(file, unfinished.length, group))).toEqual([false, joined]);
    }
    expect(await on(joined, (file) => repeatLines(file, unfinished.length, group))).toEqual([true, joined]);
  });
});

/** A disk that is full after so many more bytes. */
function fullAfter(file: AppendFile, bytes: number): AppendFile {
  let room = bytes;
  return {
    stat: () => file.stat(),
    read: (...args) => file.read(...args),
    truncate: (size) => file.truncate(size),
    datasync: () => file.datasync(),
    async write(buffer, offset, length) {
      if (room === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      const { bytesWritten } = await file.write(buffer, offset, Math.min(length, room));
      room -= bytesWritten;
      return { bytesWritten };
    },
  };
}

describe("a full disk", () => {
  it("leaves the file as it was, and says so", async () => {
    for (let room = 0; room < group.length; room++) {
      const failed = (file: AppendFile) => append(fullAfter(file, room), group).catch((e: Error) => e.message);
      expect(await on(before, failed)).toEqual([expect.stringContaining("ENOSPC"), before]);
    }
  });

  it("takes an append whose sync failed back as well", async () => {
    const failing = (file: AppendFile) =>
      append({ ...fullAfter(file, 1_000), datasync: () => Promise.reject(new Error("EIO")) }, group).catch(
        (e: Error) => e.message,
      );
    expect(await on(before, failing)).toEqual(["EIO", before]);
  });
});
