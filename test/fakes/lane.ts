import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { type Clock, systemClock } from "../../agent/api/clock.ts";
import { outputOptions, type ResolvedOutput } from "../../agent/api/config.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Assemble, ObjectOutput, Output } from "../../agent/api/output.ts";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import type { Lane } from "../../agent/pipeline/lane.ts";
import { makeLane } from "../../agent/pipeline/make-lane.ts";
import { type DeadLetters, openDeadLetters } from "../../agent/queue/dead-letters.ts";
import { openQueue } from "../../agent/queue/queue.ts";
import type { Queue } from "../../agent/queue/types.ts";
import type { Disk } from "../../agent/state/disk.ts";
import { batchOf } from "./batch.ts";

export interface LaneOptions {
  /** As in a pipeline file: `batch`, `concurrency`, `retry`, `queue`, `timeout`. */
  readonly common?: object;
  readonly match?: readonly string[];
  readonly limits?: { records: number; bytes: number; overhead: number };
  readonly assemble?: Assemble;
  /** The output's own options; only their change matters. */
  readonly options?: Record<string, unknown>;
}

export interface BenchOptions {
  readonly clock?: Clock;
  readonly maxBytes?: number;
  /** A directory that exists; else a new one. */
  readonly dir?: string;
  readonly disk?: Disk;
  /** Offset of the first record, so that ids stay apart from those of an earlier bench. */
  readonly written?: number;
}

/** A real queue in a directory of its own, with lanes on it; can be stopped and opened again. */
export class LaneBench {
  readonly dir: string;
  readonly clock: Clock;
  readonly events: AgentEvent[] = [];
  queue!: Queue;
  deadLetters!: DeadLetters;
  #lanes: { lane: Lane; running: Promise<void> }[] = [];
  readonly #options: BenchOptions;
  #written = 0;

  private constructor(dir: string, options: BenchOptions) {
    this.dir = dir;
    this.clock = options.clock ?? systemClock;
    this.#options = options;
    this.#written = options.written ?? 0;
  }

  static async open(options: BenchOptions = {}): Promise<LaneBench> {
    const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "audit-agent-lane-")));
    const bench = new LaneBench(dir, options);
    await bench.start();
    return bench;
  }

  async start(): Promise<void> {
    const emit = (event: AgentEvent) => void this.events.push(event);
    const { clock } = this;
    const disk = this.#options.disk ? { disk: this.#options.disk } : {};
    this.queue = await openQueue({
      ...disk,
      dir: join(this.dir, "queue"),
      maxBytes: this.#options.maxBytes ?? 1 << 30,
      segmentBytes: 64 * 1024,
      reserveBytes: 0,
      compression: "none",
      clock,
      emit,
    });
    this.deadLetters = await openDeadLetters({
      ...disk,
      dir: join(this.dir, "dead-letters"),
      maxBytes: 1 << 20,
      maxAge: 86_400_000,
      clock,
      emit,
    });
  }

  /** Appends a block of these lines, of a batch of which filters dropped so many. */
  async append(lines: readonly string[], tag = "audit.test", filtered = 0): Promise<void> {
    const batch = batchOf(lines, { release: () => {}, tag, firstOffset: this.#written, readTime: this.clock.now() });
    this.#written += batch.buffer.length;
    await this.queue.append(batch, { read: batch.count + filtered, created: 0, filtered, states: [] });
  }

  async lane(alias: string, output: Output | ObjectOutput, options: LaneOptions = {}): Promise<Lane> {
    const base = {
      kind: "output" as const,
      name: "test",
      summary: "",
      options: z.strictObject({}),
      example: {},
      limits: options.limits ?? { records: 1_000, bytes: 1_000_000, overhead: 0 },
      guarantee: () => "at-least-once" as const,
      defaults: { linger: "0ms", timeout: "10s" } as const,
    };
    const { assemble } = options;
    const definition = (
      assemble ? { ...base, assemble: () => assemble, create: () => output } : { ...base, create: () => output }
    ) as AnyOutputDefinition;
    const common = outputOptions.parse({ retry: { initial: "1ms", max: "2ms" }, ...options.common });
    const resolved: ResolvedOutput = {
      definition,
      alias,
      match: options.match ?? ["*"],
      options: options.options ?? {},
      common,
    };
    const { queue, deadLetters, clock } = this;
    const emit = (event: AgentEvent) => void this.events.push(event);
    const lane = await makeLane(resolved, {
      queue,
      deadLetters,
      clock,
      emit,
      fields: new Scanner([]),
      node: "n",
      version: "0",
    });
    this.#lanes.push({ lane, running: lane.run() });
    return lane;
  }

  /** Leaves everything as it is after the disk stopped: nothing of it can change anything any more. */
  abandon(): void {
    for (const { lane } of this.#lanes.splice(0)) lane.close().catch(() => {});
    this.queue.close().catch(() => {});
    this.deadLetters.close().catch(() => {});
  }

  /** Stops lanes and queue as a shutdown without shutdown_timeout would. */
  async stop(): Promise<void> {
    for (const { lane, running } of this.#lanes.splice(0)) {
      await lane.close();
      await running;
    }
    await this.queue.close();
    await this.deadLetters.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  of<K extends AgentEvent["is"]>(is: K): Extract<AgentEvent, { is: K }>[] {
    return this.events.filter((event): event is Extract<AgentEvent, { is: K }> => event.is === is);
  }
}

/** Resolves when the condition holds; the test's own time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export function recordsOf(batches: readonly RecordBatch[]): string[] {
  return batches.flatMap((batch) => Array.from({ length: batch.count }, (_, index) => batch.bytes(index).toString()));
}
