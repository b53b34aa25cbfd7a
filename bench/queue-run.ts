/**
 * One measurement of the disk queue alone, in a process of its own; prints JSON. `node bench/queue-run.ts FOLDER throughput none|zstd [key]`:
 * appends 1 MiB batches of a corpus, group fsync going on, with a reader that takes each block from memory and commits; then reads
 * everything again from disk. `… FOLDER cadence MS`: 1,000 entries a second, in a block every 5 ms, as the tail input makes them.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { RecordBatch } from "../agent/api/batch.ts";
import { systemClock } from "../agent/api/clock.ts";
import { openQueue, type QueueOptions } from "../agent/queue/queue.ts";
import type { Queue, QueueReader } from "../agent/queue/types.ts";
import { type Disk, type DiskFile, realDisk } from "../agent/state/disk.ts";
import { corpus } from "./corpus.ts";

export interface Throughput {
  readonly userPerMillion: number;
  readonly systemPerMillion: number;
  /** Of entries, not of what is written of them. */
  readonly mbPerSecond: number;
  readonly writtenPerMillion: number;
  readonly readPerMillion: number;
}

export interface Cadence {
  readonly p50: number;
  readonly p99: number;
  readonly syncsPerSecond: number;
  /** Of a core. */
  readonly cpuShare: number;
}

const ENTRIES = 300_000;
const ROUNDS = 4;
const PER_BLOCK = 5;
const BLOCK_MS = 5;
const CADENCE_MS = 10_000;
const BATCH = 1 << 20;
const NEWLINE = 10;
const source = { id: "AAAAAAAAAAAAAAAAAAAAAA", input: "tail", group: "/g", path: "/logs/a.jsonl" };

/** The real one, counting. */
const done = { bytes: 0, syncs: 0 };
const counting: Disk = {
  ...realDisk,
  async open(path, mode) {
    const file = await realDisk.open(path, mode);
    const counted: DiskFile = {
      read: (buffer, length, position) => file.read(buffer, length, position),
      writev(parts, position) {
        for (const part of parts) done.bytes += part.byteLength;
        return file.writev(parts, position);
      },
      datasync() {
        done.syncs++;
        return file.datasync();
      },
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
    };
    return counted;
  },
};

function batchOf(buffer: Buffer, at: number): RecordBatch {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let from = 0; from < buffer.length; from = ends.at(-1)! + 1) {
    starts.push(from);
    ends.push(buffer.indexOf(NEWLINE, from));
  }
  const offsets = Float64Array.from(starts, (start) => at + start);
  const positions = [{ key: "file", value: String(at) }];
  return new RecordBatch({
    buffer,
    starts: Uint32Array.from(starts),
    ends: Uint32Array.from(ends),
    offsets,
    count: starts.length,
    tag: "t",
    source,
    readTime: 1,
    positions,
  });
}

function batches(text: Buffer): RecordBatch[] {
  const all: RecordBatch[] = [];
  for (let from = 0; from < text.length; ) {
    const to = text.lastIndexOf(NEWLINE, Math.min(text.length, from + BATCH) - 1) + 1;
    all.push(batchOf(text.subarray(from, to), from));
    from = to;
  }
  return all;
}

async function open(dir: string, options: Partial<QueueOptions>): Promise<Queue> {
  return openQueue({
    dir,
    maxBytes: 64 * 2 ** 30,
    segmentBytes: 32 << 20,
    reserveBytes: 0,
    compression: "none",
    clock: systemClock,
    emit: (event) => console.error(event),
    disk: counting,
    ...options,
  });
}

const reader = (queue: Queue, alias: string) =>
  queue.openReader({ alias, match: () => true, start: "oldest", onFull: "block", onDrop: () => undefined });

async function drain(from: QueueReader): Promise<number> {
  let count = 0;
  for (let block = await from.next(); block; block = await from.next()) count += block.batch.count;
  return count;
}

async function throughput(dir: string, compression: "none" | "zstd", key: Buffer | undefined): Promise<Throughput> {
  const all = batches(await readFile((await corpus("mixed", ENTRIES, 1)).path));
  const queue = await open(dir, { compression, key });
  const late = await reader(queue, "late");
  const fresh = await reader(queue, "fresh");
  const write = async () => {
    for (const batch of all) {
      await queue.append(batch, { read: batch.count, created: 0, filtered: 0, states: [] });
      if ((await drain(fresh)) > 0) await fresh.commit(fresh.position, null);
    }
    await queue.flush();
  };
  // Compiled code is what counts; the first round makes it.
  await write();
  await drain(late);
  done.bytes = 0;
  const before = process.cpuUsage();
  const began = performance.now();
  for (let i = 0; i < ROUNDS; i++) await write();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  const written = done.bytes;
  const reading = process.cpuUsage();
  const entries = await drain(late);
  const read = process.cpuUsage(reading);
  await queue.close();
  const bytes = all.reduce((sum, { buffer }) => sum + buffer.length, 0) * ROUNDS;
  return {
    userPerMillion: user / entries,
    systemPerMillion: system / entries,
    mbPerSecond: bytes / 1e6 / seconds,
    writtenPerMillion: written / entries,
    readPerMillion: (read.user + read.system) / entries,
  };
}

async function cadence(dir: string, syncEveryMs: number): Promise<Cadence> {
  const { buffer, ends } = batches(await readFile((await corpus("mixed", ENTRIES, 1)).path))[0]!;
  const small = batchOf(buffer.subarray(0, ends[PER_BLOCK - 1]! + 1), 0);
  const queue = await open(dir, { syncEveryMs });
  const fresh = await reader(queue, "fresh");
  const written: number[] = [];
  const took: number[] = [];
  const stopped = new AbortController();
  const reading = (async () => {
    for (let n = 0; !stopped.signal.aborted; ) {
      await fresh.wait(stopped.signal);
      for (let block = await fresh.next(); block; block = await fresh.next())
        took.push(performance.now() - written[n++]!);
      await fresh.commit(fresh.position, null);
    }
  })();
  done.syncs = 0;
  const before = process.cpuUsage();
  const began = performance.now();
  for (let due = BLOCK_MS; due <= CADENCE_MS; due += BLOCK_MS) {
    await sleep(Math.max(0, began + due - performance.now()));
    written.push(performance.now());
    await queue.append(small, { read: PER_BLOCK, created: 0, filtered: 0, states: [] });
  }
  await queue.flush();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  const { syncs } = done;
  await sleep(100);
  stopped.abort();
  await reading;
  await queue.close();
  took.sort((a, b) => a - b);
  return {
    p50: took[Math.floor(took.length * 0.5)]!,
    p99: took[Math.floor(took.length * 0.99)]!,
    syncsPerSecond: syncs / (ms / 1000),
    cpuShare: (user + system) / 1000 / ms,
  };
}

const [dir, what, how, key] = process.argv.slice(2);
const result =
  what === "cadence"
    ? await cadence(dir!, Number(how))
    : await throughput(dir!, how === "zstd" ? "zstd" : "none", key === undefined ? undefined : Buffer.alloc(32, 1));
process.stdout.write(JSON.stringify(result));
