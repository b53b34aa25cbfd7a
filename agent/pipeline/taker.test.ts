import { afterEach, describe, expect, it } from "vitest";
import { linesOf } from "../../test/fakes/batch.ts";
import { LaneBench } from "../../test/fakes/lane.ts";
import { systemClock } from "../api/clock.ts";
import type { QueueReader } from "../queue/types.ts";
import type { Chunk } from "./chunk.ts";
import { Taker } from "./taker.ts";

const benches: LaneBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.remove();
});

/** A reader that must go to the disk for these blocks, 1, 2, 3 and so on. */
async function readerOf(blocks: readonly string[][]): Promise<QueueReader> {
  const bench = await LaneBench.open();
  benches.push(bench);
  for (const block of blocks) await bench.append(block);
  await bench.stop();
  await bench.start();
  return bench.queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => {},
  });
}

const never = new AbortController().signal;
const limits = (records: number) => ({ records, bytes: 1_000_000, overhead: 0, linger: 0 });
const textOf = (chunk: Chunk) => linesOf(chunk.batches());

describe("Taker", () => {
  it("loses no block when it is sent elsewhere while a block is being read from disk", async () => {
    const reader = await readerOf([["a"], ["b"], ["c"], ["d"]]);
    const taker = new Taker(reader, limits(1), systemClock, () => {});
    const taken: Chunk[] = [];
    const taking = taker.take(never, (chunk) => taken.push(chunk));
    expect(reader.position).toEqual({ seq: 1, index: 0 });
    taker.seek({ seq: 3, index: 0 });
    // At no moment may it say that it has passed what it has not given.
    while (taken.length === 0) {
      expect(taker.position.seq).toBeLessThanOrEqual(3);
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await taking;
    expect(taken.map(textOf)).toEqual([["c"]]);
    expect(taker.position).toEqual({ seq: 4, index: 0 });
  });

  it("extends a chunk and takes the next one after the other, sharing no block", async () => {
    const reader = await readerOf([["a"], ["b", "c", "d", "e"], ["f"]]);
    const taker = new Taker(reader, limits(3), systemClock, () => {});
    const taken: Chunk[] = [];
    await taker.take(never, (chunk) => taken.push(chunk));
    const first = taken[0]!;
    expect(textOf(first)).toEqual(["a", "b", "c"]);
    await Promise.all([taker.extend(first), taker.take(never, (chunk) => taken.push(chunk))]);
    expect(taken.flatMap(textOf)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("takes a record larger than the limit alone", async () => {
    const reader = await readerOf([["a", "x".repeat(500), "b"]]);
    const taker = new Taker(reader, { ...limits(10), bytes: 100 }, systemClock, () => {});
    const taken: Chunk[] = [];
    for (let i = 0; i < 3; i++) await taker.take(never, (chunk) => taken.push(chunk));
    expect(taken.map((chunk) => chunk.records)).toEqual([1, 1, 1]);
  });
});
