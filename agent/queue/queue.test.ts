import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { openQueue, type QueueOptions } from "./queue.ts";
import type { Block, Queue, QueueReader, ReaderOptions } from "./types.ts";

let dir: string;
let events: AgentEvent[];
const open: Queue[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "audit-agent-queue-"));
  events = [];
});
afterEach(async () => {
  for (const queue of open.splice(0)) await queue.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(options: Partial<QueueOptions> = {}): Promise<Queue> {
  const queue = await openQueue({
    dir,
    maxBytes: 1 << 30,
    segmentBytes: 64 * 1024,
    reserveBytes: 0,
    compression: "none",
    clock: systemClock,
    emit: (event) => events.push(event),
    ...options,
  });
  open.push(queue);
  return queue;
}

const reader = (queue: Queue, options: Partial<ReaderOptions> = {}): Promise<QueueReader> =>
  queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => undefined,
    ...options,
  });

let offset = 0;
async function put(queue: Queue, lines: string[], tag = "t", key = "k"): Promise<void> {
  const batch = batchOf(lines, { tag, firstOffset: offset, positions: [{ key, value: String(offset) }] });
  offset += batch.buffer.length;
  await queue.append(batch, { read: lines.length, created: 0, filtered: 0, states: [] });
}

const lines = (block: Block) => Array.from({ length: block.batch.count }, (_, i) => block.batch.bytes(i).toString());

async function drain(from: QueueReader): Promise<string[]> {
  const all: string[] = [];
  for (let block = await from.next(); block; block = await from.next()) all.push(...lines(block));
  return all;
}

describe("queue", () => {
  it("hands fresh blocks from memory and old ones from disk, in order", async () => {
    const queue = await start();
    const out = await reader(queue);
    await put(queue, ["a", "b"]);
    await put(queue, ["c"]);
    await queue.flush();
    expect(out.backlog().records).toBe(3);
    expect(await drain(out)).toEqual(["a", "b", "c"]);
    await out.commit({ seq: 1, index: 1 }, { x: 1 }, { sync: true });
    expect(out.backlog().records).toBe(2);
    await queue.close();

    const again = await start();
    const back = await reader(again);
    expect(back.cursor).toEqual({ seq: 1, index: 1 });
    expect(back.data).toEqual({ x: 1 });
    expect(back.replayedTo).toBe(2);
    expect(back.backlog().records).toBe(2);
    expect(await drain(back)).toEqual(["a", "b", "c"]);
    expect([...(again.positions.get("tail") ?? [])]).toHaveLength(1);
    expect(again.totals().get("t")?.appended).toBe(3);
    await put(again, ["d"]);
    await again.flush();
    expect(await drain(back)).toEqual(["d"]);
    expect(events).toEqual([]);
  });

  it("frees segments every cursor has passed, and recycles their files", async () => {
    const queue = await start({ segmentBytes: 32 * 1024 });
    const out = await reader(queue);
    for (let i = 0; i < 60; i++) {
      await put(queue, [`line ${i}`]);
      await queue.flush();
      expect(await drain(out)).toEqual([`line ${i}`]);
      await out.commit(out.position, null);
    }
    expect(queue.stats().segments).toBeLessThanOrEqual(2);
    expect(out.backlog()).toEqual({ records: 0, bytes: 0, oldest: undefined });
  });
});
