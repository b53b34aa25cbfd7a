import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import { Encoder } from "../shared/encode.ts";
import { contentOf, partsOf } from "./content.ts";

async function* of<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
async function listed(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const list: Buffer[] = [];
  for await (const piece of pieces) list.push(Buffer.from(piece));
  return list;
}
const all = async (pieces: AsyncIterable<Buffer>) => Buffer.concat(await listed(pieces));

test.each([
  [[], 4, []],
  [["abc"], 4, ["abc"]],
  [["abcd"], 4, ["abcd"]],
  [["ab", "", "cd", "e"], 4, ["abcd", "e"]],
  [["abcdefghijk"], 4, ["abcd", "efgh", "ijk"]],
] as const)("%j in parts of %i are %j", async (pieces, size, expected) => {
  const parts = partsOf(of(pieces.map((piece) => Buffer.from(piece))), size);
  expect((await listed(parts)).map(String)).toEqual(expected);
});

test("no more than one part is held", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  function* pieces() {
    for (let n = 0; n < 23; n++) yield Buffer.alloc(100_000, n);
  }
  const earlier: WeakRef<Buffer>[] = [];
  for await (const part of partsOf(of(pieces()), 500_000)) {
    await setImmediate();
    collect();
    expect(earlier.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    earlier.push(new WeakRef(part));
  }
  expect(earlier).toHaveLength(5);
});

describe.each(["gzip", "zstd", "none"] as const)("content (%s)", (compression) => {
  const lines = entries(4_000, 0, "x".repeat(1_000));
  const batches = Array.from({ length: 40 }, (_, n) => batchOf(lines.slice(n * 100, n * 100 + 100)));
  const text = `${lines.join("\n")}\n`;
  const sha256 = createHash("sha256").update(text).digest("hex");
  const content = (source: AsyncIterable<RecordBatch>) => {
    const emit = () => undefined;
    const encoder = new Encoder({ fields: new Scanner([]), format: "original", nonFinite: "keep", emit, alias: "s3" });
    return contentOf(source, encoder, { method: compression }, new AbortController().signal);
  };
  const unpack = { gzip: gunzipSync, zstd: zstdDecompressSync, none: (bytes: Buffer) => bytes }[compression];

  test("is the lines, and its hash theirs", async () => {
    const { pieces, sha256: hash } = content(of(batches));
    expect(unpack(await all(pieces)).toString() === text).toBe(true);
    expect(await hash()).toBe(sha256);
  });

  test("the hash is that of the whole also where not all of the pieces are taken", async () => {
    const { pieces, sha256: hash } = content(of(batches));
    for await (const _ of pieces) break;
    expect(await hash()).toBe(sha256);
  });

  test("there is no hash of what could not be read", async () => {
    async function* broken() {
      yield* batches.slice(0, 30);
      throw new Error("disk");
    }
    const { pieces, sha256: hash } = content(broken());
    for await (const _ of pieces) break;
    await expect(hash()).rejects.toThrow(/disk|could not be read to their end/);
    await expect(all(content(broken()).pieces)).rejects.toThrow("disk");
  });
});
