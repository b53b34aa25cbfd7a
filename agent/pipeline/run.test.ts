import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import { until } from "../../test/fakes/lane.ts";
import { systemClock } from "../api/clock.ts";
import { outputOptions, type ResolvedConfig, serviceOptions } from "../api/config.ts";
import type { AgentEvent } from "../api/events.ts";
import type { Filter } from "../api/filter.ts";
import type { Input } from "../api/input.ts";
import type { Output } from "../api/output.ts";
import type { FilterDefinition, InputDefinition, OutputDefinition } from "../api/plugin.ts";
import { imbalance } from "../api/status.ts";
import { type RunningPipeline, startPipeline } from "./run.ts";

let dir: string;
const events: AgentEvent[] = [];
const running: RunningPipeline[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "audit-agent-run-"));
  events.length = 0;
});
afterEach(async () => {
  for (const pipeline of running.splice(0)) await pipeline.stop().catch(() => {});
  await rm(dir, { recursive: true, force: true });
});

const plugin = { name: "test", summary: "", options: z.strictObject({}), example: {} };
interface Parts {
  input?: () => Input;
  filter?: () => Filter;
  output?: () => Output;
  service?: object;
}

function configOf(parts: Parts): ResolvedConfig {
  const input = { ...plugin, kind: "input", create: parts.input ?? (() => lines()) } as InputDefinition;
  const output = {
    ...plugin,
    kind: "output",
    limits: { records: 1_000, bytes: 1_000_000, overhead: 0 },
    guarantee: () => "at-least-once",
    defaults: { linger: "0ms" },
    create: parts.output ?? (() => sink()),
  } as OutputDefinition;
  const filter = { ...plugin, kind: "filter", drops: false, create: parts.filter } as FilterDefinition;
  return {
    file: join(dir, "pipeline.yaml"),
    service: serviceOptions.parse({ data_dir: join(dir, "data"), shutdown_timeout: "300ms", ...parts.service }),
    inputs: [{ definition: input, alias: "in", tag: "t", options: {} }],
    filters: parts.filter ? [{ definition: filter, alias: "filter", match: ["*"], options: {} }] : [],
    outputs: [{ definition: output, alias: "out", match: ["*"], options: {}, common: outputOptions.parse({}) }],
  };
}

async function start(parts: Parts, once = false): Promise<RunningPipeline> {
  const telemetry = { emit: (event: AgentEvent) => void events.push(event), observe: () => {} };
  const pipeline = await startPipeline(configOf(parts), { telemetry, once, clock: systemClock, version: "0" });
  running.push(pipeline);
  return pipeline;
}

/** Yields these batches; then ends, or waits for `stop`. */
function lines(batches: readonly string[][] = [], open = false): Input {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    async *read() {
      for (const [i, batch] of batches.entries()) yield batchOf(batch, { tag: "t", firstOffset: i * 1_000_000 });
      if (open) await promise;
    },
    stop: resolve,
    close: async () => resolve(),
  };
}

function sink(taken: string[] = [], more: Partial<Output> = {}): Output {
  return {
    write: async (batches) => {
      taken.push(...linesOf(batches));
      return {};
    },
    probe: async () => {},
    close: async () => {},
    ...more,
  };
}

describe("startPipeline", () => {
  it("reads, delivers, ends, and still answers for its status", async () => {
    const taken: string[] = [];
    const pipeline = await start({ input: () => lines([["{}", "{}"]]), output: () => sink(taken) }, true);
    await pipeline.done;
    await pipeline.stop();
    expect(taken).toEqual(["{}", "{}"]);
    const [out] = pipeline.status().outputs;
    expect(out).toMatchObject({ state: "stopped", ledger: { read: 2, delivered: 2, queued: 0 } });
    expect(pipeline.failed).toBe(false);
  });

  it("closes what it had opened where a later part cannot be made, and says why", async () => {
    let closed = 0;
    const output = () => sink([], { close: async () => void closed++ });
    const input = () => {
      throw new Error("no such folder");
    };
    await expect(start({ input, output })).rejects.toThrow("no such folder");
    expect(closed).toBe(1);
    // The data directory is free again.
    await start({});
  });

  it("says why it cannot start even where closing fails as well", async () => {
    const output = () => sink([], { close: () => Promise.reject(new Error("and this too")) });
    const input = () => {
      throw new Error("no such folder");
    };
    await expect(start({ input, output })).rejects.toThrow("no such folder");
    await start({});
  });

  it("stops within the shutdown_timeout while the queue is full and the output hangs", async () => {
    const wide = Array.from({ length: 64 }, () => "x".repeat(16 * 1024));
    const pipeline = await start({
      input: () => lines(Array.from({ length: 8 }, () => wide)),
      output: () => sink([], { write: () => new Promise(() => {}) }),
      service: { queue: { max_bytes: "2MiB", segment_bytes: "256KiB", reserve_bytes: "0" } },
    });
    await until(() => pipeline.status().queue.state === "blocked");
    await pipeline.stop();
    const [out] = pipeline.status().outputs;
    expect(imbalance(out!.ledger)).toBe(0);
    expect(out!.ledger.queued).toBeGreaterThan(0);
    expect(pipeline.status().inputs[0]!.state).toBe("stopped");
  });

  it("stops while an output waits for its operator, and says so", async () => {
    const output = () => sink([], { write: async () => ({ blocked: "403", pauseMs: 3_600_000 }) });
    const pipeline = await start({ input: () => lines([["{}"]], true), output });
    await until(() => pipeline.status().outputs[0]!.state === "blocked");
    await pipeline.stop();
    expect(pipeline.status().outputs[0]!.ledger.queued).toBe(1);
  });

  it("stops although an input's stop throws", async () => {
    const input = () => ({
      ...lines([], true),
      stop: () => {
        throw new Error("cannot stop");
      },
    });
    const pipeline = await start({ input });
    await expect(pipeline.stop()).rejects.toThrow("cannot stop");
    await start({});
  });

  it("survives a filter whose tick throws, and goes on ticking", async () => {
    let ticks = 0;
    const filter = (): Filter => ({
      process: (batch) => batch,
      tick(_now, emit) {
        if (ticks++ === 0) throw new Error("not now");
        emit(batchOf(['{"verified":1}'], { tag: "t", kind: "verified" }));
      },
    });
    const taken: string[] = [];
    const pipeline = await start({ input: () => lines([], true), filter, output: () => sink(taken) });
    await until(() => taken.length > 0);
    expect(events).toContainEqual({ is: "notice", level: "error", component: "filters", message: "not now" });
    const [out] = pipeline.status().outputs;
    expect(out!.ledger).toMatchObject({ read: 0, delivered: out!.ledger.created });
  });

  it("a filter that throws fails its input, not the agent; what was read before is delivered", async () => {
    const filter = (): Filter => ({
      process(batch) {
        if (linesOf([batch]).includes("bad")) throw new Error("a bug");
        return batch;
      },
    });
    const taken: string[] = [];
    const input = () => lines([["{}"], ["bad"]]);
    const pipeline = await start({ input, filter, output: () => sink(taken) }, true);
    await pipeline.done;
    expect(pipeline.failed).toBe(true);
    expect(pipeline.status().inputs[0]).toMatchObject({ state: "failed", reason: "a bug" });
    expect(taken).toEqual(["{}"]);
  });

  it("hands a filter its state back, and shows and discards orphans", async () => {
    const restored: string[] = [];
    const filter = (): Filter => ({
      process: (batch) => batch,
      state: () => Buffer.from("tip"),
      restore: (group, state) => void restored.push(`${group} ${Buffer.from(state).toString()}`),
    });
    const down = () => sink([], { write: () => Promise.reject(new Error("down")) });
    const first = await start({ input: () => lines([["{}"]], true), filter, output: down });
    await until(() => first.status().outputs[0]!.state === "degraded");
    await first.stop();
    const renamed = configOf({ filter });
    const telemetry = { emit: (event: AgentEvent) => void events.push(event), observe: () => {} };
    const config = { ...renamed, outputs: renamed.outputs.map((output) => ({ ...output, alias: "other" })) };
    const options = { telemetry, once: false, clock: systemClock, version: "0" };
    const second = await startPipeline(config, options);
    running.push(second);
    expect(restored).toEqual(["/logs/audit-*.jsonl tip"]);
    expect(second.status().orphans).toMatchObject([{ alias: "out", records: 1 }]);
    await second.stop();
    const third = await startPipeline({ ...config, service: { ...config.service, orphans: "discard" } }, options);
    running.push(third);
    expect(third.status().orphans).toEqual([]);
    expect(events).toContainEqual(expect.objectContaining({ is: "lost", where: "queue", name: "out", records: 1 }));
  });
});
