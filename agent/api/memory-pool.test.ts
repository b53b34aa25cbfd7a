import { expect, test } from "vitest";
import { MemoryPool } from "./memory-pool.ts";

const KIB = 1024;

test("memory that came back is used again, for a read of its size", () => {
  const pool = new MemoryPool();
  const first = pool.take(100 * KIB);
  expect(first.length).toBe(100 * KIB);
  const memory = first.buffer as ArrayBuffer;
  pool.give(memory);
  expect(pool.take(300 * KIB).buffer).not.toBe(memory);
  const again = pool.take(101 * KIB);
  expect(again.buffer).toBe(memory);
  expect(again.length).toBe(101 * KIB);
  expect(pool.take(100 * KIB).buffer).not.toBe(memory);
});

test("a small read has memory of its own, which is not kept", () => {
  const pool = new MemoryPool();
  const small = pool.take(1000);
  expect(small.buffer.byteLength).toBe(1000);
  pool.give(small.buffer as ArrayBuffer);
  expect(small.buffer.byteLength).toBe(0);
});

test("no more than 16 MiB wait, and none when there is nothing to read", () => {
  const pool = new MemoryPool();
  const all = Array.from({ length: 20 }, () => pool.take(1024 * KIB).buffer as ArrayBuffer);
  for (const memory of all) pool.give(memory);
  const kept = all.filter(({ byteLength }) => byteLength > 0);
  expect(kept).toHaveLength(16);
  pool.clear();
  expect(kept.every(({ byteLength }) => byteLength === 0)).toBe(true);
});
