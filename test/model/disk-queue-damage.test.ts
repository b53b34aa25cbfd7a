import { describe, expect, it } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import { openQueue, type QueueOptions } from "../../agent/queue/queue.ts";
import type { Missing, Queue } from "../../agent/queue/types.ts";
import { batchOf } from "../fakes/batch.ts";
import { SimDisk } from "./disk-queue-sim.ts";

const BLOCKS = 4;
const PAGE = 4096;

function open(disk: SimDisk, emit: (event: AgentEvent) => void, options: Partial<QueueOptions> = {}): Promise<Queue> {
  return openQueue({
    dir: "/q",
    maxBytes: 1 << 24,
    segmentBytes: 1 << 20,
    reserveBytes: 0,
    compression: "none",
    clock: { now: () => 1, monotonic: () => 1 },
    emit,
    disk,
    ...options,
  });
}

/** A queue of blocks of two lines, the tags taking turns; closed in order or killed. */
async function prepare(orderly: boolean, options: Partial<QueueOptions>): Promise<SimDisk> {
  const disk = new SimDisk();
  const queue = await open(disk, () => undefined, options);
  await queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => undefined,
  });
  for (let i = 0; i < BLOCKS; i++) {
    const positions = [{ key: "file", value: String(2 * (i + 1)) }];
    const batch = batchOf([`${2 * i}`, `${2 * i + 1}`], { tag: i % 2 ? "a" : "b", positions });
    await queue.append(batch, { read: 2, created: 0, filtered: 0, states: [] });
    await queue.flush();
  }
  if (orderly) await queue.close();
  return disk.restart("kill", Math.random);
}

const segmentOf = (disk: SimDisk) => [...disk.names.keys()].find((path) => path.endsWith(".segment"))!;

/** Every line is delivered, or read again because the position lies before it, or told to be missing. Then the queue goes on. */
async function verify(disk: SimDisk, what: string, options: Partial<QueueOptions>): Promise<{ missing: number }> {
  const events: AgentEvent[] = [];
  const told: Missing[] = [];
  const queue = await open(disk, (event) => events.push(event), options);
  const reader = await queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => undefined,
    onMissing: (missing) => told.push(missing),
  });
  const before = reader.backlog().records;
  const lines: number[] = [];
  for (let block = await reader.next(); block; block = await reader.next()) {
    for (let i = 0; i < block.batch.count; i++) lines.push(Number(block.batch.bytes(i).toString()));
  }
  const position = Number(queue.positions.get("tail")?.get("file") ?? 0);
  const missing = told.reduce((sum, { records }) => sum + records, 0);
  const unaccounted = Array.from({ length: 2 * BLOCKS }, (_, i) => i).filter((i) => i < position && !lines.includes(i));
  expect(lines, what).toEqual([...new Set(lines)].sort((a, b) => a - b));
  expect(missing, `${what}: missing lines ${unaccounted}`).toBe(unaccounted.length);
  expect(before, what).toBe(lines.length + missing);
  if (missing > 0)
    expect(
      events.map(({ is }) => is),
      what,
    ).toContain("queue_damaged");
  await reader.commit(reader.position, null);
  expect(reader.backlog().records, what).toBe(0);
  await queue.append(batchOf(["100"], { tag: "a" }), { read: 1, created: 0, filtered: 0, states: [] });
  await queue.flush();
  const block = await reader.next();
  expect(block?.batch.bytes(0).toString(), what).toBe("100");
  await queue.close();
  return { missing };
}

/** Every byte that means something, and of the padding some. */
function interesting(data: Buffer): number[] {
  const at: number[] = [];
  for (let page = 0; page < data.length; page += PAGE) {
    let used = PAGE;
    while (used > 0 && data[page + used - 1] === 0) used--;
    for (let i = 0; i < PAGE; i++) if (i < used + 8 || i % 512 === 0) at.push(page + i);
  }
  return at;
}

const kinds: [string, Partial<QueueOptions>][] = [
  ["plain", {}],
  ["encrypted", { key: Buffer.alloc(32, 9) }],
];

describe("a damaged segment", () => {
  for (const orderly of [true, false]) {
    for (const [name, options] of kinds) {
      const kind = `${name}, ${orderly ? "closed" : "killed"}`;
      it(`${kind}: any byte flipped: starts, names what is lost, delivers the rest`, { timeout: 120_000 }, async () => {
        const prepared = await prepare(orderly, options);
        const path = segmentOf(prepared);
        const step = name === "plain" ? 1 : 5;
        let most = 0;
        for (const [n, at] of interesting(prepared.names.get(path)!.data).entries()) {
          if (n % step !== 0) continue;
          const disk = prepared.restart("kill", Math.random);
          disk.names.get(path)!.data[at]! ^= 1 << (at % 8);
          const { missing } = await verify(disk, `byte ${at}`, options);
          most = Math.max(most, missing);
        }
        expect(most).toBe(orderly || most > 0 ? 2 : 0);
      });

      it(`${kind}: cut off anywhere: starts, delivers what is left`, { timeout: 120_000 }, async () => {
        const prepared = await prepare(orderly, options);
        const path = segmentOf(prepared);
        for (const [n, at] of interesting(prepared.names.get(path)!.data).entries()) {
          if (n % 5 !== 0) continue;
          const disk = prepared.restart("kill", Math.random);
          const inode = disk.names.get(path)!;
          inode.data = Buffer.from(inode.data.subarray(0, at));
          await verify(disk, `cut at ${at}`, options);
        }
      });
    }
  }

  it("any page overwritten with zeros or another page", async () => {
    const prepared = await prepare(true, {});
    const path = segmentOf(prepared);
    const pages = prepared.names.get(path)!.data.length / PAGE;
    for (let to = 0; to < pages; to++) {
      for (let from = -1; from < pages; from++) {
        const disk = prepared.restart("kill", Math.random);
        const { data } = disk.names.get(path)!;
        if (from < 0) data.fill(0, to * PAGE, (to + 1) * PAGE);
        else data.copy(data, to * PAGE, from * PAGE, (from + 1) * PAGE);
        await verify(disk, `page ${to} from ${from}`, {});
      }
    }
  });
});
