import { copyFile, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CHUNK_HEADER, FILE_HEADER, fileKey, newFileHeader, parseKey, planHash, sealChunk } from "./seal.ts";
import { findPlan, readSealed, wholeLength } from "./sealed-file.ts";

const key = Buffer.alloc(32, 7);
const texts = ["first\n", `${"x".repeat(10_000)}\n`, "third\n"];
let directory: string;
let path: string;
const ends: number[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "seal-"));
  const header = newFileHeader(key);
  const own = fileKey(key, header);
  let file = header;
  for (const [i, text] of texts.entries()) {
    const method = (["none", "gzip", "zstd"] as const)[i]!;
    file = Buffer.concat([file, await sealChunk(own, Buffer.from(text), file.length, planHash(`plan ${i}`), method)]);
    ends.push(file.length);
  }
  await writeFile(join(directory, "good"), file);
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(async () => {
  path = join(directory, "file");
  await copyFile(join(directory, "good"), path);
});

async function read(withKey = key): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of readSealed(path, withKey)) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe("encrypted archives", () => {
  it("read back as they were written, and hold no plain text", async () => {
    expect(await read()).toBe(texts.join(""));
    expect((await readFile(path)).includes("first")).toBe(false);
  });

  it("cannot be read with another key", async () => {
    await expect(read(Buffer.alloc(32, 8))).rejects.toThrow("encrypted with another key");
  });

  it("show every single altered byte", async () => {
    const good = await readFile(path);
    for (let at = 0; at < good.length; at++) {
      const altered = Buffer.from(good);
      altered[at]! ^= 0x40;
      await writeFile(path, altered);
      await expect(read(), `byte ${at}`).rejects.toThrow();
    }
  });

  it("show chunks exchanged, repeated or left out", async () => {
    const good = await readFile(path);
    const parts = [good.subarray(0, FILE_HEADER)];
    for (const [i, end] of ends.entries()) parts.push(good.subarray(i === 0 ? FILE_HEADER : ends[i - 1]!, end));
    for (const order of [
      [0, 2, 1, 3],
      [0, 1, 1, 2, 3],
      [0, 1, 3],
      [0, 3],
    ]) {
      await writeFile(path, Buffer.concat(order.map((i) => parts[i]!)));
      await expect(read(), String(order)).rejects.toThrow("altered or moved");
    }
  });

  it("say where the last write is unfinished", async () => {
    for (const cut of [1, CHUNK_HEADER, CHUNK_HEADER + 3]) {
      await copyFile(join(directory, "good"), path);
      await truncate(path, ends[1]! + cut);
      await expect(read()).rejects.toThrow(`the last ${cut} bytes, from ${ends[1]}`);
      const file = await open(path, "r");
      try {
        expect(await wholeLength(file)).toBe(ends[1]);
      } finally {
        await file.close();
      }
    }
  });

  it("know the writes they hold", async () => {
    const file = await open(path, "r");
    try {
      const own = fileKey(key, await readFile(path));
      expect(await findPlan(file, own, 0, planHash("plan 1"))).toBe(ends[1]);
      expect(await findPlan(file, own, ends[1]!, planHash("plan 1"))).toBeUndefined();
      expect(await findPlan(file, own, 0, planHash("plan 9"))).toBeUndefined();
    } finally {
      await file.close();
    }
  });
});

describe("keys", () => {
  it("are 32 bytes in hex or base64", () => {
    expect(parseKey(key.toString("hex"))).toEqual(key);
    expect(parseKey(`${key.toString("base64")}\n`)).toEqual(key);
    for (const bad of [
      "",
      "abc",
      key.toString("hex").slice(2),
      key.toString("base64").slice(4),
      "password".repeat(5),
    ]) {
      expect(parseKey(bad)).toBeUndefined();
    }
  });
});
