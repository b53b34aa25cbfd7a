/** For tests: queues in a directory of their own, and what is done with each of them again and again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batchOf } from "../../test/fakes/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { openQueue, type QueueOptions } from "./queue.ts";
import type { Block, Queue, QueueReader, ReaderOptions } from "./types.ts";

export class QueueHome {
  readonly dir: string;
  /** What all its queues have told. */
  readonly events: AgentEvent[] = [];
  readonly #open: Queue[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<QueueHome> {
    return new QueueHome(await mkdtemp(join(tmpdir(), "audit-agent-queue-")));
  }

  async start(options: Partial<QueueOptions> = {}): Promise<Queue> {
    const queue = await openQueue({
      dir: this.dir,
      maxBytes: 1 << 30,
      segmentBytes: 64 * 1024,
      reserveBytes: 0,
      compression: "none",
      clock: systemClock,
      emit: (event) => this.events.push(event),
      ...options,
    });
    this.#open.push(queue);
    return queue;
  }

  /** Closes what is open, and removes the directory. */
  async remove(): Promise<void> {
    for (const queue of this.#open.splice(0)) await queue.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export function reader(queue: Queue, options: Partial<ReaderOptions> = {}): Promise<QueueReader> {
  return queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => undefined,
    ...options,
  });
}

let offset = 0;

/** Appends the lines as one block, with a position. */
export async function put(queue: Queue, lines: string[], tag = "t", key = "k"): Promise<void> {
  const batch = batchOf(lines, { tag, firstOffset: offset, positions: [{ key, value: String(offset) }] });
  offset += batch.buffer.length;
  await queue.append(batch, { read: lines.length, created: 0, filtered: 0, states: [] });
}

export function lines(block: Block): string[] {
  return Array.from({ length: block.batch.count }, (_, i) => block.batch.bytes(i).toString());
}

/** All lines that the reader can have now. */
export async function drain(from: QueueReader): Promise<string[]> {
  const all: string[] = [];
  for (let block = await from.next(); block; block = await from.next()) all.push(...lines(block));
  return all;
}
