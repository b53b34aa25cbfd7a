import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { linesOf } from "../../test/fakes/batch.ts";
import { LaneBench, until } from "../../test/fakes/lane.ts";
import type { RecordBatch } from "../api/batch.ts";
import type { ObjectOutput, ObjectPlan, WriteResult } from "../api/output.ts";
import { imbalance } from "../api/status.ts";

const benches: LaneBench[] = [];
async function open(options?: Parameters<typeof LaneBench.open>[0]): Promise<LaneBench> {
  const bench = await LaneBench.open(options);
  benches.push(bench);
  return bench;
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.remove();
});

const never = new AbortController().signal;

/** Objects by plan id. The partition is a record's text before `:`. */
class Store implements ObjectOutput {
  readonly objects = new Map<string, string[]>();
  readonly plans: ObjectPlan[] = [];
  before: (plan: ObjectPlan, signal: AbortSignal) => void | Promise<void> = () => {};
  result: WriteResult = {};

  partition(batch: RecordBatch, index: number): string {
    return batch.bytes(index).toString().split(":")[0]!;
  }
  async prepare(plan: { id: string }): Promise<string> {
    return `note of ${plan.id}`;
  }
  async writeObject(batches: AsyncIterable<RecordBatch>, plan: ObjectPlan, signal: AbortSignal): Promise<WriteResult> {
    this.plans.push(plan);
    await this.before(plan, signal);
    const once: string[] = [];
    const twice: string[] = [];
    for await (const batch of batches) once.push(...linesOf([batch]));
    for await (const batch of batches) twice.push(...linesOf([batch]));
    expect(twice).toEqual(once);
    this.objects.set(plan.id, once);
    return this.result;
  }
  async probe(): Promise<void> {}
  async close(): Promise<void> {}

  all(): string[] {
    return [...this.objects.values()].flat();
  }
}

const assemble = { bytes: 1_000, ageMs: 5 };
const lines = (partition: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${partition}:${from + i}`);

describe("ObjectLane", () => {
  it("writes what belongs together, in order, re-readable, and balances its ledger", async () => {
    const bench = await open();
    const store = new Store();
    const lane = await bench.lane("out", store, { assemble });
    await bench.append(["a:0", "b:0", "a:1"]);
    await bench.append(["b:1", "a:2"]);
    await lane.settled(never);
    const text = store.all();
    expect(text.filter((l) => l.startsWith("a"))).toEqual(lines("a", 0, 3));
    expect(text.filter((l) => l.startsWith("b"))).toEqual(lines("b", 0, 2));
    expect(lane.status().ledger).toMatchObject({ read: 5, delivered: 5, queued: 0 });
    const plan = store.plans[0]!;
    expect(plan).toMatchObject({ repeat: false, note: `note of ${plan.id}` });
  });

  it("asked to flush reads what is there first: a backlog is no reason for small objects", async () => {
    const bench = await open();
    const store = new Store();
    const gate = Promise.withResolvers<void>();
    store.before = () => gate.promise;
    const lane = await bench.lane("out", store, { assemble: { bytes: 1_000, ageMs: 60_000 } });
    await bench.append([`x:${"x".repeat(1_000)}`]);
    await until(() => store.plans.length === 1);
    for (let n = 0; n < 8; n++) await bench.append([`a:${n}`]);
    await bench.queue.flush();
    const settled = lane.settled(never);
    gate.resolve();
    await settled;
    expect([...store.objects.values()].slice(1)).toEqual([lines("a", 0, 8)]);
  });

  it("writes by age while little comes in", async () => {
    const bench = await open();
    const store = new Store();
    await bench.lane("out", store, { assemble });
    await bench.append(["a:0"]);
    await until(() => store.all().length === 1);
  });

  it("cuts by size", async () => {
    const bench = await open();
    const store = new Store();
    const lane = await bench.lane("out", store, { assemble: { bytes: 20, ageMs: 60_000 } });
    await bench.append(lines("a", 0, 20));
    await lane.settled(never);
    expect(store.objects.size).toBeGreaterThan(3);
    expect(store.all()).toEqual(lines("a", 0, 20));
  });

  it("repeats the very plan that was under way when it was killed", async () => {
    const bench = await open();
    const store = new Store();
    let hang = true;
    store.before = (_plan, signal) =>
      hang ? new Promise((_r, reject) => signal.addEventListener("abort", () => reject(signal.reason))) : undefined;
    await bench.lane("out", store, { assemble });
    await bench.append(["a:0", "b:0", "a:1"]);
    await until(() => store.plans.length === 1);
    const copy = await mkdtemp(join(tmpdir(), "audit-agent-lane-"));
    await cp(bench.dir, copy, { recursive: true });
    const crashed = await open({ dir: copy });
    const again = new Store();
    const lane = await crashed.lane("out", again, { assemble });
    await crashed.append(["a:2"]);
    await lane.settled(never);
    const [first] = again.plans;
    expect(first).toEqual({ ...store.plans[0]!, repeat: true });
    expect(again.all().sort()).toEqual(["a:0", "a:1", "a:2", "b:0"]);
    expect(lane.status().ledger).toMatchObject({ read: 4, delivered: 4, queued: 0 });
    hang = false;
  });

  it("takes blocks in beside a write, and holds the cursor back until that is settled, in a crash too", async () => {
    const bench = await open();
    const store = new Store();
    const gate = Promise.withResolvers<void>();
    store.before = () => gate.promise;
    let met = 0;
    store.partition = (batch, index) => {
      const [partition, n] = batch.bytes(index).toString().split(":");
      met = Math.max(met, Number(n));
      return partition!;
    };
    const cut = { assemble: { bytes: 20, ageMs: 60_000 } };
    const lane = await bench.lane("out", store, cut);
    await bench.append(lines("a", 0, 5));
    await until(() => store.plans.length === 1);
    // The next object is complete with a:9, and nothing is read beyond its block.
    await bench.append(["b:5", "a:5"]);
    await bench.append(lines("a", 6, 10));
    await bench.append(lines("a", 10, 15));
    await until(() => met >= 9);
    await bench.queue.flush();
    expect(met).toBe(9);
    const copy = await mkdtemp(join(tmpdir(), "audit-agent-lane-"));
    await cp(bench.dir, copy, { recursive: true });
    gate.resolve();
    await lane.settled(never);
    expect(lane.status().ledger).toMatchObject({ read: 16, delivered: 16, queued: 0 });
    const all = [...lines("a", 0, 15), "b:5"];
    expect([...store.all()].sort()).toEqual([...all].sort());
    expect(store.all().filter((line) => line.startsWith("a"))).toEqual(all.slice(0, -1));

    const crashed = await open({ dir: copy });
    const again = new Store();
    const resumed = await crashed.lane("out", again, cut);
    await resumed.settled(never);
    expect(again.plans[0]).toEqual({ ...store.plans[0]!, repeat: true });
    expect([...again.all()].sort()).toEqual([...all].sort());
    expect(resumed.status().ledger).toMatchObject({ read: 16, delivered: 16, queued: 0 });
  });

  it("does not write again what is settled beyond the cursor", async () => {
    const bench = await open();
    const store = new Store();
    store.before = (plan, signal) =>
      plan.partition === "a"
        ? new Promise((_r, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : undefined;
    // b fills its object at once and is written first; a, begun before it, stays open.
    const lane = await bench.lane("out", store, { assemble: { bytes: 8, ageMs: 60_000 } });
    await bench.append(["a:0", "b:0", "b:1", "b:2"]);
    await until(() => lane.status().ledger.delivered >= 2);
    expect(imbalance(lane.status().ledger)).toBe(0);
    await bench.stop();
    await bench.start();
    const again = new Store();
    const resumed = await bench.lane("out", again, { assemble: { bytes: 8, ageMs: 60_000 } });
    expect(imbalance(resumed.status().ledger)).toBe(0);
    await resumed.settled(never);
    expect([...store.all(), ...again.all()].sort()).toEqual(["a:0", "b:0", "b:1", "b:2"]);
    expect(resumed.status().ledger).toMatchObject({ read: 4, delivered: 4, queued: 0 });
  });

  it("under other options writes what lies beyond the cursor again, and counts anew", async () => {
    const bench = await open();
    const store = new Store();
    const lane = await bench.lane("out", store, { assemble: { bytes: 8, ageMs: 60_000 }, options: { path: "x" } });
    await bench.append(["a:0", "b:0", "b:1"]);
    await until(() => lane.status().ledger.delivered === 2);
    await bench.stop();
    await bench.start();
    const again = new Store();
    const resumed = await bench.lane("out", again, { assemble, options: { path: "y" } });
    await resumed.settled(never);
    expect(again.all().sort()).toEqual(["a:0", "b:0", "b:1"]);
    expect(imbalance(resumed.status().ledger)).toBe(0);
  });

  it("tries again until it is stored, as a repeat", async () => {
    const bench = await open();
    const store = new Store();
    let failures = 3;
    store.before = () => {
      if (failures-- > 0) throw new Error("disk full");
    };
    const lane = await bench.lane("out", store, { assemble });
    await bench.append(lines("a", 0, 3));
    await lane.settled(never);
    expect(store.plans.map((plan) => plan.repeat)).toEqual([false, true, true, true]);
    expect(store.all()).toEqual(lines("a", 0, 3));
    expect(bench.of("retry")).toHaveLength(3);
  });

  it("buries what the destination rejects of an object", async () => {
    const bench = await open();
    const store = new Store();
    store.result = { failed: new Map([[1, { action: "reject", reason: "too long" }]]) };
    const lane = await bench.lane("out", store, { assemble });
    await bench.append(lines("a", 0, 3));
    await lane.settled(never);
    expect(bench.deadLetters.stats().records).toBe(1);
    expect(lane.status().ledger).toMatchObject({ delivered: 2, rejected: 1, queued: 0 });
  });

  it("drop_oldest makes room and the ledger still balances", async () => {
    const bench = await open({ maxBytes: 256 * 1024 });
    const store = new Store();
    let down = true;
    store.before = () => {
      if (down) throw new Error("down");
    };
    const lane = await bench.lane("out", store, {
      assemble: { bytes: 50_000, ageMs: 5 },
      common: { queue: { on_full: "drop_oldest" } },
    });
    for (let i = 0; i < 100; i++) await bench.append([`a:${i}:${"x".repeat(10_000)}`, `b:${i}`]);
    down = false;
    await lane.settled(never);
    const { ledger } = lane.status();
    expect(ledger.lost).toBeGreaterThan(0);
    expect(ledger.delivered).toBe(store.all().length);
    expect(imbalance(ledger)).toBe(0);
    expect(store.all()).toContain("b:99");
  });
});
