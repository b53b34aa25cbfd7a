/** Mistakes once made in the lanes, each by name. The random ones are in test/model/lane.test.ts. */
import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { linesOf } from "../../test/fakes/batch.ts";
import { LaneBench, until } from "../../test/fakes/lane.ts";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import type { ObjectOutput, Output } from "../api/output.ts";
import { imbalance } from "../api/status.ts";
import { LaneHealth } from "./lane-health.ts";

const benches: LaneBench[] = [];
async function open(): Promise<LaneBench> {
  const bench = await LaneBench.open();
  benches.push(bench);
  return bench;
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.remove();
});

const never = new AbortController().signal;

function sink(write: Output["write"]): Output {
  return { write, probe: async () => {}, close: async () => {} };
}

/** Keeps objects; the partition is a record's text before `:`. */
function store(objects: Map<string, string[]>, more: Partial<ObjectOutput> = {}): ObjectOutput {
  return {
    partition: (batch, index) => batch.bytes(index).toString().split(":")[0]!,
    async writeObject(batches, plan) {
      const lines: string[] = [];
      for await (const batch of batches) lines.push(...linesOf([batch]));
      objects.set(plan.id, lines);
      return {};
    },
    probe: async () => {},
    close: async () => {},
    ...more,
  };
}

const all = (objects: ReadonlyMap<string, string[]>) => [...objects.values()].flat().sort();

describe("LaneHealth", () => {
  const health = (events: AgentEvent[] = []) =>
    new LaneHealth(
      "out",
      systemClock,
      (event) => void events.push(event),
      { initial: 1, max: 1_000 },
      () => 1,
    );

  it("an attempt that was given up does not give back the probe of another", async () => {
    const gate = health();
    const first = (await gate.enter(never))!;
    gate.failed(first, "degraded", "down");
    const probe = (await gate.enter(never))!;
    expect(probe.probe).toBe(true);
    const stop = new AbortController();
    const aborted = gate.enter(stop.signal);
    stop.abort();
    expect(await aborted).toBeUndefined();
    let entered = false;
    const next = gate.enter(never).then(() => (entered = true));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toBe(false);
    gate.ok(probe);
    await next;
  });

  it("attempts that fail together are one failure, not a delay doubled for each", async () => {
    const gate = health();
    const passes = await Promise.all(Array.from({ length: 8 }, () => gate.enter(never)));
    const delays = passes.map((pass) => gate.failed(pass!, "degraded", "down"));
    expect(Math.max(...delays)).toBeLessThanOrEqual(1);
  });

  it("a senseless pause is none, and an endless one an hour", async () => {
    const gate = health();
    gate.pause(Number.NaN);
    expect((await gate.enter(never))?.probe).toBe(false);
    const pass = (await gate.enter(never))!;
    expect(gate.failed(pass, "degraded", "429", Number.POSITIVE_INFINITY)).toBe(3_600_000);
  });

  it("leaves no listener behind on a signal that lives long", async () => {
    const gate = health();
    const { signal } = new AbortController();
    for (let i = 0; i < 100; i++) {
      const pass = (await gate.enter(signal))!;
      gate.failed(pass, "degraded", "down");
      gate.ok((await gate.enter(signal))!);
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("StreamLane", () => {
  it("a thousand retries by several writers: no warning, one state change", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => void warnings.push(warning);
    process.on("warning", warned);
    const bench = await open();
    let left = 1_000;
    const lane = await bench.lane(
      "out",
      sink(async () => {
        if (left-- > 0) throw new Error("down");
        return {};
      }),
      {
        common: { concurrency: 16, retry: { initial: "0ms", max: "0ms" } },
        limits: { records: 1, bytes: 1_000, overhead: 0 },
      },
    );
    await bench.append(Array.from({ length: 40 }, (_, i) => `{"n":${i}}`));
    await lane.settled(never);
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    expect(bench.of("component").map(({ state }) => state)).toEqual(["degraded", "ok"]);
    expect(imbalance(lane.status().ledger)).toBe(0);
  });

  it("a time-out longer than a timer can hold does not expire at once", async () => {
    const bench = await open();
    const slow = sink(() => new Promise((resolve) => setTimeout(() => resolve({}), 20)));
    const lane = await bench.lane("out", slow, { common: { timeout: "60d" } });
    await bench.append(["{}"]);
    await lane.settled(never);
    expect(bench.of("retry")).toEqual([]);
  });

  it.each([
    ["stream", {}],
    ["object", { assemble: { bytes: 1_000, ageMs: 0 } }],
  ])("keeps its account while it is down from the first start on, through every start (%s)", async (kind, options) => {
    const bench = await open();
    const down = () => Promise.reject(new Error("down"));
    const account = { read: 5, filtered: 3, delivered: 0, queued: 2 };
    for (let start = 0; start < 3; start++) {
      const output = kind === "stream" ? sink(down) : store(new Map(), { writeObject: down });
      const lane = await bench.lane("out", output, options);
      if (start === 0) await bench.append(["a:0", "a:1"], "audit.test", 3);
      await until(() => bench.of("retry").length > start);
      expect(lane.status().ledger).toMatchObject(account);
      await bench.stop();
      await bench.start();
    }
  });

  it("balances under an alias that belonged to an output that writes objects", async () => {
    const bench = await open();
    const hang = store(new Map(), {
      // b is settled beyond the cursor, a holds it.
      writeObject: (_batches, plan) => (plan.partition === "a" ? new Promise(() => {}) : Promise.resolve({})),
    });
    const before = await bench.lane("out", hang, { assemble: { bytes: 6, ageMs: 60_000 } });
    await bench.append(["a:0", "b:0", "b:1"]);
    await until(() => before.status().ledger.delivered === 2);
    await bench.stop();
    await bench.start();
    const taken: string[] = [];
    const lane = await bench.lane(
      "out",
      sink(async (batches) => {
        taken.push(...linesOf(batches));
        return {};
      }),
    );
    await lane.settled(never);
    expect(taken).toEqual(["a:0", "b:0", "b:1"]);
    expect(imbalance(lane.status().ledger)).toBe(0);
    expect(lane.status().ledger.queued).toBe(0);
  });
});

describe("ObjectLane", () => {
  it("keeps its cursor record within the slot, whatever the partitions are called and however many", async () => {
    const bench = await open();
    const objects = new Map<string, string[]>();
    const lane = await bench.lane("out", store(objects), { assemble: { bytes: 8_000, ageMs: 60_000 } });
    const lines: string[] = [];
    for (let block = 0; block < 20; block++) {
      const part = Array.from(
        { length: 60 },
        (_, i) => `${"\u0001\u{1f642}".repeat(200)}${(i * 7) % 45}:${block}.${i}`,
      );
      lines.push(...part);
      await bench.append(part);
    }
    await lane.settled(never);
    expect(all(objects)).toEqual(lines.sort());
    expect(bench.of("component").map(({ state }) => state)).toEqual(["ok"]);
    expect(imbalance(lane.status().ledger)).toBe(0);
  });

  it("passes over no record where the output cannot tell a partition at first", async () => {
    const bench = await open();
    const objects = new Map<string, string[]>();
    let bugs = 3;
    const output = store(objects, {
      partition: (batch, index) => {
        if (index === 1 && bugs-- > 0) throw new Error("a bug");
        return batch.bytes(index).toString().split(":")[0]!;
      },
    });
    const lane = await bench.lane("out", output, { assemble: { bytes: 1_000, ageMs: 1 } });
    await bench.append(["a:0", "a:1", "b:0"]);
    await lane.settled(never);
    expect(all(objects)).toEqual(["a:0", "a:1", "b:0"]);
  });

  it("under other match patterns does not take the new tags' records for settled", async () => {
    const bench = await open();
    const stuck = store(new Map(), {
      writeObject: (_batches, plan) => (plan.partition === "a" ? new Promise(() => {}) : Promise.resolve({})),
    });
    const assemble = { bytes: 6, ageMs: 60_000 };
    const before = await bench.lane("out", stuck, { assemble, match: ["x"] });
    await bench.append(["a:0"], "x");
    await bench.append(["b:1"], "y");
    await bench.append(["b:2", "b:3"], "x");
    await until(() => before.status().ledger.delivered === 2);
    await bench.stop();
    await bench.start();
    const objects = new Map<string, string[]>();
    const lane = await bench.lane("out", store(objects), { assemble, match: ["*"] });
    await lane.settled(never);
    expect(all(objects)).toContain("b:1");
    expect(imbalance(lane.status().ledger)).toBe(0);
  });

  it("gives up after the attempts it was told, into dead letters", async () => {
    const bench = await open();
    const output = store(new Map(), { writeObject: async () => ({ refused: "too large" }) });
    const lane = await bench.lane("out", output, {
      assemble: { bytes: 1_000, ageMs: 1 },
      common: { retry: { initial: "1ms", max: "1ms", attempts: 2 } },
    });
    await bench.append(["a:0", "a:1"]);
    await lane.settled(never);
    expect(lane.status().ledger).toMatchObject({ rejected: 2, queued: 0 });
    expect(bench.deadLetters.stats().records).toBe(2);
  });

  it("does not wait for ever for a prepare that hangs", async () => {
    const bench = await open();
    const objects = new Map<string, string[]>();
    let hang = true;
    const output = store(objects, {
      prepare: () => {
        const wait = hang;
        hang = false;
        return wait ? new Promise(() => {}) : Promise.resolve("note");
      },
    });
    const lane = await bench.lane("out", output, { assemble: { bytes: 1_000, ageMs: 1 }, common: { timeout: "20ms" } });
    await bench.append(["a:0"]);
    await lane.settled(never);
    expect(all(objects)).toEqual(["a:0"]);
  });
});
