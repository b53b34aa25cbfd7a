/** What an attack on reloads found, each with the pipeline it was found with. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import { until } from "../../test/fakes/lane.ts";
import type { RecordBatch } from "../api/batch.ts";
import { systemClock } from "../api/clock.ts";
import { outputOptions, type ResolvedConfig, serviceOptions } from "../api/config.ts";
import type { InputContext } from "../api/context.ts";
import type { Filter } from "../api/filter.ts";
import type { Input } from "../api/input.ts";
import type { ObjectOutput, Output } from "../api/output.ts";
import type { AnyOutputDefinition, FilterDefinition, InputDefinition } from "../api/plugin.ts";
import { type RunningPipeline, startPipeline } from "./run.ts";

let dir: string;
const running: RunningPipeline[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "audit-agent-reload-"));
});
afterEach(async () => {
  for (const pipeline of running.splice(0)) await pipeline.stop().catch(() => {});
  await rm(dir, { recursive: true, force: true });
});

type Options = Record<string, unknown>;
interface Parts {
  input(options: Options, context: InputContext): Input;
  output(options: Options): Output | ObjectOutput;
  filter?(options: Options): Filter;
  /** The output writes objects. */
  objects?: boolean;
  service?: object;
}
/** Of each kind: an option that says nothing but which version it is. */
interface Versions {
  readonly input?: number;
  readonly filter?: number;
  readonly output?: number;
}

function configOf(parts: Parts, versions: Versions = {}): ResolvedConfig {
  const plugin = { name: "test", summary: "", options: z.strictObject({}), example: {} };
  const input = { ...plugin, kind: "input", create: parts.input } as unknown as InputDefinition;
  const filter = { ...plugin, kind: "filter", drops: false, create: parts.filter } as unknown as FilterDefinition;
  const output = {
    ...plugin,
    kind: "output",
    limits: { records: 1_000, bytes: 1_000_000, overhead: 0 },
    guarantee: () => "at-least-once",
    defaults: { linger: "0ms" },
    ...(parts.objects ? { assemble: () => ({ bytes: 2_000, ageMs: 600_000 }) } : {}),
    create: parts.output,
  } as unknown as AnyOutputDefinition;
  const service = { data_dir: join(dir, "data"), shutdown_timeout: "300ms", ...parts.service };
  const common = outputOptions.parse({ retry: { initial: "10ms", max: "20ms" } });
  return {
    file: join(dir, "pipeline.yaml"),
    service: serviceOptions.parse(service),
    inputs: [{ definition: input, alias: "in", tag: "t", options: { v: versions.input ?? 0 } }],
    filters: parts.filter
      ? [{ definition: filter, alias: "filter", match: ["*"], options: { v: versions.filter ?? 0 } }]
      : [],
    outputs: [{ definition: output, alias: "out", match: ["*"], options: { v: versions.output ?? 0 }, common }],
  };
}

/** A pipeline, and how to reload it with other versions of its parts; all parts are the same definitions. */
async function start(parts: Parts, once = false) {
  const first = configOf(parts);
  const telemetry = { emit: () => {}, observe: () => {} };
  const pipeline = await startPipeline(first, { telemetry, once, clock: systemClock, version: "0" });
  running.push(pipeline);
  const reload = ({ input = 0, filter = 0, output = 0 }: Versions) => {
    const next: ResolvedConfig = {
      ...first,
      inputs: first.inputs.map((one) => ({ ...one, options: { v: input } })),
      filters: first.filters.map((one) => ({ ...one, options: { v: filter } })),
      outputs: first.outputs.map((one) => ({ ...one, options: { v: output } })),
    };
    return pipeline.reload(next, { unprobed: false });
  };
  const ledger = () => pipeline.status().outputs[0]!.ledger;
  return { pipeline, reload, ledger };
}

/** Yields these, then waits for its end. */
function open(...batches: RecordBatch[]): Input {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    async *read() {
      yield* batches;
      await promise;
    },
    stop: resolve,
    close: async () => resolve(),
  };
}

const line = (n: number) => batchOf([`{"n":${n}}`], { tag: "t", firstOffset: n * 1_000_000 });

function sink(taken: string[], more: Partial<Output> = {}): Output {
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

it("objects that are open are written before their output is exchanged, and none is written twice", async () => {
  const record = (partition: string, n: number) =>
    batchOf([JSON.stringify({ partition, n, text: partition === "A" ? "" : "x".repeat(3_000) })], {
      tag: "t",
      firstOffset: n * 1_000_000,
    });
  const written: string[] = [];
  const parse = (text: string) => JSON.parse(text) as { partition: string; n: number };
  const { pipeline, reload, ledger } = await start({
    input: () => open(record("A", 0), ...[1, 2, 3, 4, 5].map((n) => record("B", n))),
    objects: true,
    output: (): ObjectOutput => ({
      partition: (batch, i) => parse(batch.bytes(i).toString()).partition,
      async writeObject(batches) {
        for await (const batch of batches) for (const text of linesOf([batch])) written.push(`${parse(text).n}`);
        return {};
      },
      probe: async () => {},
      close: async () => {},
    }),
  });
  await until(() => written.length === 5);
  expect(await reload({ output: 1 })).toMatchObject({ applied: true, problems: [] });
  await pipeline.stop();
  expect(written.sort()).toEqual(["0", "1", "2", "3", "4", "5"]);
  expect(ledger()).toMatchObject({ read: 6, delivered: 6, queued: 0 });
});

it("an input stays while the queue takes nothing: neither it nor the filters would know what is on its way", async () => {
  const LINES = 20;
  const pad = "x".repeat(3_000);
  const jumps: string[] = [];
  let down = true;
  const taken: string[] = [];
  const numberOf = (text: string) => (JSON.parse(text) as { n: number }).n;
  const { pipeline, reload } = await start({
    input(_options, { positions }) {
      const { promise, resolve } = Promise.withResolvers<void>();
      let stopped = false;
      const end = () => {
        stopped = true;
        resolve();
      };
      return {
        async *read() {
          for (let i = Number(positions.get("at") ?? 0); i < 60 && !stopped; i++) {
            const lines = Array.from({ length: LINES }, (_, k) => `{"n":${i * LINES + k},"p":"${pad}"}`);
            const batch = batchOf(lines, { tag: "t", firstOffset: i * 1_000_000 });
            const source = { ...batch.source, input: "in" };
            yield Object.assign(batch, { source, positions: [{ key: "at", value: String(i + 1) }] });
          }
          await promise;
        },
        stop: end,
        close: async () => end(),
      };
    },
    filter() {
      let last = -1;
      return {
        process(batch) {
          for (let i = 0; i < batch.count; i++) {
            const n = numberOf(batch.bytes(i).toString());
            if (n !== last + 1) jumps.push(`${last} → ${n}`);
            last = n;
          }
          return batch;
        },
        state: () => Buffer.from(String(last)),
        restore(_group, state) {
          last = Number(Buffer.from(state).toString());
        },
      };
    },
    output: () =>
      sink(taken, {
        async write(batches) {
          if (down) throw new Error("down");
          taken.push(...linesOf(batches));
          return {};
        },
      }),
    service: { queue: { max_bytes: "1MiB", segment_bytes: "256KiB", reserve_bytes: "256KiB" } },
  });
  await until(() => pipeline.status().queue.state === "blocked");
  const report = await reload({ input: 1 });
  expect(report.problems).toEqual([
    expect.stringContaining("input in stays as it was, because the queue takes nothing"),
  ]);
  down = false;
  await until(() => taken.length >= 60 * LINES);
  expect(await reload({ input: 1, filter: 1 })).toMatchObject({ applied: true, problems: [] });
  await until(() => pipeline.status().outputs[0]!.backlog.records === 0);
  expect(taken.map(numberOf)).toEqual(Array.from({ length: 60 * LINES }, (_, n) => n));
  expect(jumps).toEqual([]);
});

it("an output that cannot be made when it comes to that goes on as it was, and can be exchanged later", async () => {
  const taken: string[] = [];
  let made = 0;
  const { pipeline, reload } = await start({
    input: () => open(line(1)),
    output(options) {
      // The first of the new ones is the probe's.
      if (options.v === 1 && ++made > 1) throw new Error("the certificate vanished");
      return sink(taken);
    },
  });
  await until(() => taken.length === 1);
  const report = await reload({ output: 1 });
  expect(report).toMatchObject({ applied: true });
  expect(report.problems).toEqual(["output out: the certificate vanished", "output out goes on as it was"]);
  expect(pipeline.status().outputs).toHaveLength(1);
  expect(await reload({ output: 2 })).toMatchObject({ applied: true, problems: [] });
});

it("a filter that refuses its state leaves the old one in place, and the inputs running", async () => {
  const { pipeline, reload } = await start({
    input: () => open(line(1)),
    filter: ({ v }) => ({
      process: (batch) => batch,
      state: () => Buffer.from("x"),
      restore() {
        if (v === 1) throw new Error("state of another version");
      },
    }),
    output: () => sink([]),
  });
  await until(() => pipeline.status().outputs[0]!.ledger.delivered === 1);
  const report = await reload({ input: 1, filter: 1 });
  expect(report.problems).toEqual(["filters: state of another version"]);
  expect(pipeline.status().inputs).toMatchObject([{ alias: "in", state: "ok" }]);
  let isDone = false;
  void pipeline.done.then(() => {
    isDone = true;
  });
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  expect([isDone, pipeline.failed]).toEqual([false, false]);
});

it("a stop ends a reload that waits, and nothing is made after it", async () => {
  let made = 0;
  let closed = 0;
  const { pipeline, reload } = await start({
    input: () => open(line(1)),
    output: () => {
      made++;
      return {
        write: (_batches, _plan, signal) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
        probe: async () => {},
        close: async () => void closed++,
      };
    },
  });
  await until(() => pipeline.status().outputs[0]!.inFlight === 1);
  const reloading = reload({ input: 1, output: 1 });
  await until(() => pipeline.status().outputs[0]!.paused === true);
  await pipeline.stop();
  await reloading;
  expect(closed).toBe(made);
});

it("a run that ends by itself does not end before the exchanged output has everything", async () => {
  const taken: string[] = [];
  let down = true;
  const { pipeline, reload } = await start(
    {
      input: () => ({
        async *read() {
          yield batchOf(["{}", "{}"], { tag: "t" });
        },
        stop: () => {},
        close: async () => {},
      }),
      output: () =>
        sink(taken, {
          async write(batches) {
            if (down) throw new Error("down");
            taken.push(...linesOf(batches));
            return {};
          },
        }),
    },
    true,
  );
  await until(() => pipeline.status().outputs[0]!.state === "degraded");
  expect(await reload({ output: 1 })).toMatchObject({ applied: true });
  down = false;
  await pipeline.done;
  expect(taken).toEqual(["{}", "{}"]);
});
