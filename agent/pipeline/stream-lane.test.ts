import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { linesOf } from "../../test/fakes/batch.ts";
import { LaneBench, until } from "../../test/fakes/lane.ts";
import type { Failure, Output, Plan, WriteResult } from "../api/output.ts";
import { imbalance } from "../api/status.ts";
import { readDeadLetters } from "../queue/dead-letters.ts";

const benches: LaneBench[] = [];
async function open(options?: Parameters<typeof LaneBench.open>[0]): Promise<LaneBench> {
  const bench = await LaneBench.open(options);
  benches.push(bench);
  return bench;
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.remove();
});

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}`);
const never = new AbortController().signal;

/** A destination by a rule; remembers what it took. */
class Sink implements Output {
  readonly taken: string[] = [];
  readonly plans: Plan[] = [];
  calls = 0;
  answer: (records: string[], signal: AbortSignal) => WriteResult | Promise<WriteResult> = () => ({});

  async write(batches: Parameters<Output["write"]>[0], plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    this.calls++;
    this.plans.push(plan);
    const records = linesOf(batches);
    const result = await this.answer(records, signal);
    if (result.refused === undefined && result.blocked === undefined) {
      this.taken.push(...records.filter((_, i) => !result.failed?.has(i)));
    }
    return result;
  }
  async probe(): Promise<void> {}
  async close(): Promise<void> {}
}

describe("StreamLane", () => {
  it("delivers in order, within the limits, and balances its ledger", async () => {
    const bench = await open();
    const sink = new Sink();
    const lane = await bench.lane("out", sink, { limits: { records: 7, bytes: 1_000, overhead: 0 } });
    await bench.append(lines(0, 10));
    await bench.append(lines(10, 25));
    await lane.settled(never);
    expect(sink.taken).toEqual(lines(0, 25));
    expect(sink.calls).toBeGreaterThanOrEqual(4);
    const { ledger } = lane.status();
    expect(ledger).toEqual({ read: 25, created: 0, filtered: 0, delivered: 25, rejected: 0, lost: 0, queued: 0 });
  });

  it("goes on after a restart with what was not settled, and keeps counting", async () => {
    const bench = await open();
    const first = new Sink();
    await bench.lane("out", first);
    await bench.append(lines(0, 5));
    await until(() => first.taken.length === 5);
    await bench.stop();
    await bench.start();
    const second = new Sink();
    const lane = await bench.lane("out", second);
    await bench.append(lines(5, 8));
    await lane.settled(never);
    expect(second.taken).toEqual(lines(5, 8));
    expect(lane.status().ledger).toMatchObject({ read: 8, delivered: 8, queued: 0 });
  });

  it("waits out an outage with one probe at a time, and loses nothing", async () => {
    const bench = await open();
    const sink = new Sink();
    let under = 0;
    let most = 0;
    let left = 5;
    sink.answer = async () => {
      under++;
      most = Math.max(most, under);
      await new Promise((resolve) => setImmediate(resolve));
      under--;
      if (left-- > 0) throw new Error("connection refused");
      most = 0;
      return {};
    };
    for (let i = 0; i < 6; i++) await bench.append(lines(i * 10, i * 10 + 10));
    const lane = await bench.lane("out", sink, {
      limits: { records: 10, bytes: 1e6, overhead: 0 },
      common: { concurrency: 3, queue: { start: "oldest" } },
    });
    await until(() => bench.of("retry").length > 0);
    await lane.settled(never);
    expect([...new Set(sink.taken)].sort()).toEqual(lines(0, 60).sort());
    expect(lane.status().state).toBe("ok");
    expect(imbalance(lane.status().ledger)).toBe(0);
  });

  it("keeps refused records as dead letters, and delivers the others", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = (records) => ({
      failed: new Map(
        records.flatMap((r, i) => (r.includes("3") ? [[i, { action: "reject", reason: "mapping" }]] : [])),
      ),
    });
    const lane = await bench.lane("out", sink);
    await bench.append(lines(0, 8));
    await lane.settled(never);
    expect(sink.taken).toEqual(lines(0, 8).filter((l) => !l.includes("3")));
    expect(bench.deadLetters.stats().records).toBe(1);
    expect(lane.status().ledger).toMatchObject({ delivered: 7, rejected: 1, queued: 0 });
    expect(bench.of("rejected")).toEqual([{ is: "rejected", output: "out", records: 1, reason: "mapping" }]);
  });

  it("lets a single refused record wait until another shows whose fault it is", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = (records) => (records.includes("bad") ? { refused: "400" } : {});
    const lane = await bench.lane("out", sink);
    await bench.append(["bad"]);
    await until(() => lane.status().state === "blocked");
    expect(bench.deadLetters.stats().records).toBe(0);
    await bench.append(["good"]);
    await lane.settled(never);
    expect(sink.taken).toContain("good");
    expect(lane.status().ledger).toMatchObject({ delivered: 1, rejected: 1, queued: 0 });
  });

  it("honours the pause a destination asks for", async () => {
    const bench = await open();
    const sink = new Sink();
    let first = true;
    sink.answer = (records) => {
      if (!first) return {};
      first = false;
      return { failed: new Map(records.map((_, i) => [i, { action: "retry", reason: "429" }])), pauseMs: 40 };
    };
    const lane = await bench.lane("out", sink);
    await bench.append(lines(0, 2));
    await lane.settled(never);
    expect(bench.of("retry")[0]?.delayMs).toBeGreaterThanOrEqual(40);
    expect(sink.taken).toEqual(lines(0, 2));
  });

  it("aborts a write that hangs, and tries again", async () => {
    const bench = await open();
    const sink = new Sink();
    let aborted = false;
    sink.answer = (_records, signal) => {
      if (aborted) return {};
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        });
      });
    };
    const lane = await bench.lane("out", sink, { common: { timeout: "20ms" } });
    await bench.append(lines(0, 2));
    await lane.settled(never);
    expect(sink.taken).toEqual(lines(0, 2));
    expect(bench.of("retry")[0]?.reason).toBe("no answer within 20 ms");
    expect(sink.plans.map((plan) => plan.repeat)).toEqual([false, true]);
  });

  it("moves the cursor only over the settled prefix: a crash sends the rest again, as a repeat", async () => {
    const bench = await open();
    const sink = new Sink();
    let release = () => {};
    sink.answer = (records) =>
      records[0] === '{"n":0}' ? new Promise((resolve) => (release = () => resolve({}))) : Promise.resolve({});
    const lane = await bench.lane("out", sink, {
      limits: { records: 5, bytes: 1e6, overhead: 0 },
      common: { concurrency: 2 },
    });
    await bench.append(lines(0, 5));
    await bench.append(lines(5, 10));
    await until(() => sink.taken.length === 5);
    expect(imbalance(lane.status().ledger)).toBe(0);
    const copy = await mkdtemp(join(tmpdir(), "audit-agent-lane-"));
    await bench.queue.flush();
    await cp(bench.dir, copy, { recursive: true });
    const crashed = await open({ dir: copy });
    const again = new Sink();
    const resumed = await crashed.lane("out", again);
    await resumed.settled(never);
    expect(again.taken).toEqual(lines(0, 10));
    expect(again.plans.every((plan) => plan.repeat)).toBe(true);
    expect(imbalance(resumed.status().ledger)).toBe(0);
    release();
    await lane.settled(never);
  });

  it("asks again for what was not sent yet: no failure, and no attempt", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = (records) => {
      const rest = records.slice(1).map((_, i) => [i + 1, { action: "later", reason: "the rate is limited" }] as const);
      return { failed: new Map(rest), pauseMs: 1 };
    };
    const lane = await bench.lane("out", sink, { common: { retry: { initial: "10m", max: "10m", attempts: 2 } } });
    await bench.append(lines(0, 6));
    await lane.settled(never);
    expect(sink.taken).toEqual(lines(0, 6));
    expect(sink.plans.every(({ repeat }) => !repeat)).toBe(true);
    expect([bench.of("retry"), bench.of("rejected")]).toEqual([[], []]);
    expect(lane.status().state).toBe("ok");
  });

  it("counts the attempt at a record that is refused beside others that were not sent yet", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = (records) => {
      const later: Failure = { action: "later", reason: "the rate is limited" };
      const failed = new Map(records.map((_, i) => [i, later]));
      return { failed: failed.set(0, { action: "reject", reason: "bad" }), pauseMs: 1 };
    };
    const lane = await bench.lane("out", sink);
    await bench.append(lines(0, 2));
    await lane.settled(never);
    const attempts: number[] = [];
    for await (const letter of readDeadLetters({ dir: join(bench.dir, "dead-letters") }))
      attempts.push(letter.attempts);
    expect(attempts).toEqual([1, 1]);
  });

  it("gives up after the attempts it was told, with the reason", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = () => {
      throw new Error("nobody home");
    };
    const lane = await bench.lane("out", sink, { common: { retry: { initial: "1ms", max: "1ms", attempts: 3 } } });
    await bench.append(lines(0, 2));
    await lane.settled(never);
    expect(sink.calls).toBe(3);
    expect(bench.of("rejected")[0]?.reason).toBe("gave up after 3 attempts: nobody home");
    expect(lane.status().ledger).toMatchObject({ rejected: 2, queued: 0 });
  });

  it("gives up what is too old, counted as lost", async () => {
    let now = 1_000_000;
    const bench = await open({ clock: { now: () => now, monotonic: () => performance.now() } });
    const sink = new Sink();
    sink.answer = () => {
      throw new Error("down");
    };
    const lane = await bench.lane("out", sink, { common: { queue: { max_age: "1h" } } });
    await bench.append(lines(0, 3));
    await until(() => sink.calls > 0);
    now += 3_600_001;
    await lane.settled(never);
    expect(lane.status().ledger).toMatchObject({ delivered: 0, lost: 3, queued: 0 });
    expect(bench.of("lost")[0]).toMatchObject({ name: "out", records: 3, reason: "older than queue.max_age" });
  });

  it("drop_oldest gives up the oldest for a dead destination, and the ledger still balances", async () => {
    const bench = await open({ maxBytes: 256 * 1024 });
    const dead = new Sink();
    let down = true;
    dead.answer = () => {
      if (down) throw new Error("down");
      return {};
    };
    const healthy = new Sink();
    const lane = await bench.lane("dead", dead, { common: { queue: { on_full: "drop_oldest" } } });
    const other = await bench.lane("healthy", healthy);
    const wide = (n: number) => `{"n":${n},"pad":"${"x".repeat(1_000)}"}`;
    const all = Array.from({ length: 100 }, (_, i) => Array.from({ length: 10 }, (_, j) => wide(i * 10 + j)));
    for (const block of all) await bench.append(block);
    await other.settled(never);
    expect(healthy.taken).toEqual(all.flat());
    down = false;
    await lane.settled(never);
    const { ledger } = lane.status();
    expect(ledger.read).toBe(1_000);
    expect(ledger.lost).toBeGreaterThan(0);
    expect(ledger.delivered).toBe(dead.taken.length);
    expect(imbalance(ledger)).toBe(0);
    expect(dead.taken.at(-1)).toBe(wide(999));
    expect(bench.of("lost").reduce((sum, event) => sum + event.records, 0)).toBe(ledger.lost);
  });

  it("does not hold the queue for blocks that are not its own", async () => {
    const bench = await open({ maxBytes: 256 * 1024 });
    const sink = new Sink();
    const lane = await bench.lane("out", sink, { match: ["mine"] });
    for (let i = 0; i < 100; i++) await bench.append([`{"pad":"${"x".repeat(10_000)}"}`], "other");
    await bench.append(lines(0, 1), "mine");
    await lane.settled(never);
    expect(sink.taken).toEqual(lines(0, 1));
    expect(lane.status().ledger.read).toBe(1);
  });

  it("retries when dead letters cannot be written, instead of forgetting the records", async () => {
    const bench = await open();
    const sink = new Sink();
    sink.answer = (records) => ({ failed: new Map(records.map((_, i) => [i, { action: "reject", reason: "bad" }])) });
    await bench.deadLetters.close();
    const lane = await bench.lane("out", sink);
    await bench.append(lines(0, 1));
    await until(() => sink.calls >= 2);
    expect(lane.status().ledger).toMatchObject({ rejected: 0, queued: 1 });
    expect(lane.status().reason).toMatch(/dead letters/);
  });
});

describe("StreamLane and its cursor", () => {
  it("does not pass records that are still being gathered, when what was before them settles", async () => {
    const bench = await open();
    const sink = new Sink();
    let release = () => {};
    sink.answer = () => new Promise((resolve) => (release = () => resolve({})));
    const lane = await bench.lane("out", sink, {
      limits: { records: 5, bytes: 1e6, overhead: 0 },
      common: { concurrency: 2, batch: { linger: "1h" } },
    });
    await bench.append(lines(0, 5));
    await until(() => sink.calls === 1);
    // Fewer than a full chunk: they linger while the first chunk settles.
    await bench.append(lines(5, 8));
    await bench.queue.flush();
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    release();
    await until(() => lane.status().ledger.delivered === 5);
    expect(lane.status().ledger).toMatchObject({ read: 8, queued: 3 });
    await bench.stop();
    await bench.start();
    const again = new Sink();
    const resumed = await bench.lane("out", again);
    await resumed.settled(never);
    expect(again.taken).toEqual(lines(5, 8));
  });
});
