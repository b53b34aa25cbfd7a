/**
 * What the disk queue costs: appends 1 MiB batches of 468-byte records, group fsync going on, with a reader that takes each block from
 * memory and commits; then reads everything again from disk. `node bench/queue.ts [millions] [none|zstd] [key]`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RecordBatch } from "../agent/api/batch.ts";
import { systemClock } from "../agent/api/clock.ts";
import { openQueue } from "../agent/queue/queue.ts";
import type { QueueReader } from "../agent/queue/types.ts";

const millions = Number(process.argv[2] ?? 2);
const compression = process.argv[3] === "zstd" ? "zstd" : "none";
const key = process.argv[4] ? Buffer.alloc(32, 1) : undefined;
const RECORD = 468;
const PER_BATCH = Math.floor((1 << 20) / RECORD);
const batches = Math.ceil((millions * 1e6) / PER_BATCH);

const line = Buffer.from(`${JSON.stringify({ event: "user.login", details: "x".repeat(RECORD - 40) })}\n`);
const text = Buffer.concat(Array.from({ length: PER_BATCH }, () => line));
const source = { id: "AAAAAAAAAAAAAAAAAAAAAA", input: "tail", group: "/g", path: "/logs/a.jsonl" };
// Two buffers, taking turns, stand for those an input reads into; making fresh ones is not the queue's cost.
const buffers = [text, Buffer.from(text)];

function batchAt(i: number): RecordBatch {
  const starts = new Uint32Array(PER_BATCH);
  const ends = new Uint32Array(PER_BATCH);
  const offsets = new Float64Array(PER_BATCH);
  for (let r = 0; r < PER_BATCH; r++) {
    starts[r] = r * line.length;
    ends[r] = (r + 1) * line.length - 1;
    offsets[r] = i * text.length + r * line.length;
  }
  const positions = [{ key: "file", value: String(i) }];
  const buffer = buffers[i % 2]!;
  return new RecordBatch({ buffer, starts, ends, offsets, count: PER_BATCH, tag: "t", source, readTime: 1, positions });
}

const dir = await mkdtemp(join(tmpdir(), "audit-agent-bench-"));
const queue = await openQueue({
  dir,
  maxBytes: 64 * 2 ** 30,
  segmentBytes: 32 << 20,
  reserveBytes: 0,
  compression,
  key,
  clock: systemClock,
  emit: (event) => console.error(event),
});
const options = { match: () => true, start: "oldest", onFull: "block", onDrop: () => undefined } as const;

async function measure(what: string, work: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  const records = batches * PER_BATCH;
  const cpuSeconds = (user + system) / 1e6 / (records / 1e6);
  const split = `user ${(user / records).toFixed(3)}, system ${(system / records).toFixed(3)}`;
  const speed = `${(records / seconds / 1e3).toFixed(0)} k/s, ${((records * line.length) / seconds / 1e6).toFixed(0)} MB/s`;
  console.log(
    `${what}: ${cpuSeconds.toFixed(3)} CPU-s per million (${split}), ${speed}, rss ${process.memoryUsage().rss >> 20} MiB`,
  );
}

async function take(reader: QueueReader): Promise<number> {
  let count = 0;
  for (let block = await reader.next(); block; block = await reader.next()) count += block.batch.count;
  return count;
}

const fresh = await queue.openReader({ alias: "fresh", ...options });
await measure("append, fsync, read from memory, commit (recycling)", async () => {
  for (let i = 0; i < batches; i++) {
    await queue.append(batchAt(i), { read: PER_BATCH, created: 0, filtered: 0, states: [] });
    if ((await take(fresh)) > 0) await fresh.commit(fresh.position, null);
  }
  await queue.flush();
});
const late = await queue.openReader({ alias: "late", ...options });
await measure("append, fsync (fresh files)", async () => {
  for (let i = 0; i < batches; i++) {
    await queue.append(batchAt(i), { read: PER_BATCH, created: 0, filtered: 0, states: [] });
  }
  await queue.flush();
});
await measure("read from disk", () => take(late));
await queue.close();
await rm(dir, { recursive: true });
