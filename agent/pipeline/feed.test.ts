import { afterEach, describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { LaneBench } from "../../test/fakes/lane.ts";
import { type RecordBatch, RecordFlag } from "../api/batch.ts";
import type { AgentEvent } from "../api/events.ts";
import type { Filter } from "../api/filter.ts";
import type { Input } from "../api/input.ts";
import { Scanner } from "../json/scanner.ts";
import { FilterChain } from "./chain.ts";
import { Feed } from "./feed.ts";

const benches: LaneBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.remove();
});

async function feedOf(
  read: () => AsyncGenerator<RecordBatch>,
  filter: Partial<Filter> = {},
  once = false,
): Promise<{ feed: Feed; events: AgentEvent[]; bench: LaneBench; input: Input }> {
  const bench = await LaneBench.open();
  benches.push(bench);
  const events: AgentEvent[] = [];
  const emit = (event: AgentEvent) => void events.push(event);
  const input: Input = { read, stop: () => {}, close: async () => {} };
  const chain = new FilterChain(
    [{ alias: "f", matches: () => true, filter: { process: (batch) => batch, ...filter } }],
    emit,
  );
  const { queue, clock } = bench;
  return {
    feed: new Feed({
      alias: "in",
      plugin: "test",
      tag: "t",
      input,
      chain,
      queue,
      fields: new Scanner([]),
      clock,
      emit,
      once,
    }),
    events,
    bench,
    input,
  };
}

describe("Feed", () => {
  it("counts lines that should be JSON objects and are not, once, and says where the first stands", async () => {
    const { feed, events } = await feedOf(async function* () {
      yield batchOf(['{"a":1}', "oops", "[1]", '{"b":2}']);
    });
    await feed.run();
    const errors = events.filter((event) => event.is === "parse_error");
    expect(errors).toEqual([
      {
        is: "parse_error",
        input: "in",
        records: 2,
        reason: expect.any(String),
        offset: 8,
        path: "/logs/audit-2026-02-12.jsonl",
      },
    ]);
  });

  it("does not count plain and cut lines as errors", async () => {
    const flags = Uint8Array.from([RecordFlag.plain, RecordFlag.cut]);
    const cuts = new Map([[1, { length: 99, sha256: "00" }]]);
    const { feed, events } = await feedOf(async function* () {
      yield batchOf(["plain text", '{"cut'], { flags, cuts });
    });
    await feed.run();
    expect(events.some((event) => event.is === "parse_error")).toBe(false);
  });

  it("stores the position of a batch without records", async () => {
    const { feed, bench } = await feedOf(async function* () {
      yield batchOf([], { positions: [{ key: "file", value: "17" }] });
    });
    await feed.run();
    expect(bench.queue.positions.get("tail")?.get("file")).toBe("17");
  });

  it("is failed, and says why, when its input throws; what was read before is kept", async () => {
    const { feed, bench } = await feedOf(async function* () {
      yield batchOf(['{"a":1}']);
      throw new Error("the disk is gone");
    });
    await feed.run();
    expect(feed.status()).toMatchObject({ state: "failed", reason: "the disk is gone" });
    expect(bench.queue.totals().get("audit.test")?.read).toBe(1);
  });

  it("is degraded while its input cannot read something, and goes on", async () => {
    const { feed, input } = await feedOf(async function* () {
      yield batchOf(['{"a":1}']);
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    input.lag = (limit) => ({ followed: 7, bytes: limit, ms: 0, files: [] });
    input.trouble = () => ({ since: 17, reason: "cannot read /x" });
    const ran = feed.run();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(feed.status()).toEqual({
      alias: "in",
      plugin: "test",
      tag: "t",
      state: "degraded",
      since: 17,
      reason: "cannot read /x",
      lag: { followed: 7, bytes: 20, ms: 0, files: [] },
    });
    await ran;
    expect(feed.status()).toMatchObject({ state: "stopped", reason: undefined });
  });

  it("reads nothing while a filter holds its input, and goes on where that ends", async () => {
    let reason: string | undefined = "the chain is broken";
    let read = 0;
    const { feed } = await feedOf(
      async function* () {
        read++;
        yield batchOf(['{"a":1}']);
      },
      { holds: () => reason },
    );
    const ran = feed.run();
    expect(feed.status()).toMatchObject({ state: "blocked", reason: "the chain is broken" });
    expect(read).toBe(0);
    reason = undefined;
    await ran;
    expect(read).toBe(1);
    expect(feed.status()).toMatchObject({ state: "stopped" });
  });

  it("ends at a stop although a filter holds its input", async () => {
    const { feed } = await feedOf(
      async function* () {
        yield batchOf(['{"a":1}']);
      },
      { holds: () => "the chain is broken" },
    );
    const ran = feed.run();
    feed.stop();
    await ran;
    expect(feed.status()).toMatchObject({ state: "stopped" });
  });

  it("fails, where everything is to be read once, instead of waiting for ever", async () => {
    const { feed } = await feedOf(
      async function* () {
        yield batchOf(['{"a":1}']);
      },
      { holds: () => "the chain is broken" },
      true,
    );
    await feed.run();
    expect(feed.status()).toMatchObject({ state: "failed", reason: "the chain is broken" });
  });
});
