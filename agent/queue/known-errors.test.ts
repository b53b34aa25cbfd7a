/** What random tests once found, by name, so that it stays found. */
import { describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { Model } from "../../test/model/disk-queue-model.ts";
import { SimDisk } from "../../test/model/disk-queue-sim.ts";
import { openQueue } from "./queue.ts";
import type { Queue } from "./types.ts";

const open = (disk: SimDisk): Promise<Queue> =>
  openQueue({
    dir: "/q",
    maxBytes: 1 << 24,
    segmentBytes: 1 << 20,
    reserveBytes: 0,
    compression: "none",
    clock: { now: () => 1, monotonic: () => 1 },
    emit: () => undefined,
    disk,
  });
const extra = { read: 1, created: 0, filtered: 0, states: [] };

describe("known errors", () => {
  it("a reader did not wait where the newest durable blocks were not for it and others not durable yet", async () => {
    const disk = new SimDisk();
    const queue = await open(disk);
    const match = (tag: string) => tag === "mine";
    const reader = await queue.openReader({
      alias: "r",
      match,
      start: "oldest",
      onFull: "block",
      onDrop: () => undefined,
    });
    await queue.append(batchOf(["a"], { tag: "other" }), extra);
    await queue.flush();
    let syncs: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => {
      syncs = resolve;
    });
    // From now on no fsync ends: the second block stays undurable.
    disk.stopAfter = 1;
    await queue.append(batchOf(["b"], { tag: "mine" }), extra);
    expect(await reader.next()).toBeUndefined();
    const waited = reader.wait(new AbortController().signal).then(() => "returned at once");
    setImmediate(() => syncs!());
    expect(await Promise.race([waited, stopped])).toBeUndefined();
  });

  it("a power cut while a segment is made is no damage, whichever of its pages survived", async () => {
    for (const seed of [1099274841, 378201962, 1, 2, 3]) {
      for (let after = 30; after < 42; after++) {
        const model = new Model(seed);
        await model.open();
        await model.run({ do: "append", lines: 3, width: 7_000 });
        await model.run({ do: "crash", how: "kill", after: 22 });
        await model.run({ do: "crash", how: "power", after });
        await model.finish();
      }
    }
  });

  it("a damaged block's records were not missed when the block behind it had another tag", async () => {
    const disk = new SimDisk();
    const queue = await open(disk);
    const tags = ["a", "b", "a", "b"];
    for (const tag of tags) {
      await queue.append(batchOf(["x"], { tag }), extra);
      await queue.flush();
    }
    const killed = disk.restart("kill", Math.random);
    const path = [...killed.names.keys()].find((name) => name.endsWith(".segment"))!;
    // Page 0 is the segment's header, 1 and 2 its snapshots, 5 the third block.
    killed.names.get(path)!.data.fill(0, 5 * 4096, 6 * 4096);
    const again = await open(killed);
    const missing: number[] = [];
    const reader = await again.openReader({
      alias: "r",
      match: (tag) => tag === "a",
      start: "oldest",
      onFull: "block",
      onDrop: () => undefined,
      onMissing: ({ seq, records }) => missing.push(seq, records),
    });
    expect(reader.backlog().records).toBe(2);
    expect((await reader.next())?.seq).toBe(1);
    expect(await reader.next()).toBeUndefined();
    expect(missing).toEqual([3, 1]);
    await again.close();
  });
});
