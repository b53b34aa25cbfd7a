import { describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { InputContext } from "../../agent/api/context.ts";
import type { AgentEvent, ComponentState, Emit } from "../../agent/api/events.ts";
import type { Level } from "./entries.ts";
import { internal as plugin } from "./index.ts";
import { InternalInput } from "./internal.ts";

function setUp(level: Level = "warn", over: Partial<InputContext> = {}) {
  const time = { ms: 0 };
  const listeners = new Set<Emit>();
  const context: InputContext = {
    alias: "internal",
    node: "n",
    version: "0",
    clock: { now: () => time.ms, monotonic: () => time.ms },
    emit: () => {},
    tag: "t",
    dataDirId: "d",
    positions: new Map(),
    once: false,
    events(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ...over,
  };
  const input = new InternalInput(level, context);
  const emit = (event: AgentEvent) => {
    for (const listener of listeners) listener(event);
  };
  const state = (state: ComponentState, reason?: string, name = "es") =>
    emit({ is: "component", kind: "output", name, state, ...(reason ? { reason } : {}) });
  return { input, emit, state, time, listeners };
}

const entriesOf = (batch: RecordBatch) =>
  Array.from({ length: batch.count }, (_, i) => JSON.parse(batch.bytes(i).toString()) as Record<string, unknown>);

async function rest(input: InternalInput): Promise<Record<string, unknown>[]> {
  input.stop();
  const all: Record<string, unknown>[] = [];
  for await (const batch of input.read()) all.push(...entriesOf(batch));
  return all;
}

describe("internal", () => {
  test("its own example is valid, an unknown option is refused", () => {
    expect(plugin.options.parse(plugin.example)).toEqual({ level: "warn" });
    expect(plugin.options.safeParse({ levl: "warn" }).success).toBe(false);
  });

  test("of one part there is one entry in ten seconds; the next says how many it stands for, and the worst", async () => {
    const { input, state, time } = setUp("info");
    const batches = input.read();
    state("degraded", "503");
    const first = entriesOf((await batches.next()).value as RecordBatch);
    expect(first).toMatchObject([
      { event: "agent.output.degraded", level: "warn", name: "es", count: 1, reason: "503" },
    ]);
    for (let i = 0; i < 1000; i++) {
      state("blocked", "401");
      state("ok");
    }
    time.ms = 10_000;
    const second = entriesOf((await batches.next()).value as RecordBatch);
    expect(second).toMatchObject([{ event: "agent.output.ok", count: 2000, worst: "blocked" }]);
    await input.close();
  });

  test("an end of trouble is told where the trouble was, and nowhere else", async () => {
    const { input, state } = setUp("error");
    state("degraded", "503", "a");
    state("ok", undefined, "a");
    state("blocked", "401", "b");
    state("ok", undefined, "b");
    expect(await rest(input)).toMatchObject([{ event: "agent.output.ok", name: "b", count: 2, worst: "blocked" }]);
  });

  test("nothing a destination quoted is told, and counts are summed", async () => {
    const { input, emit } = setUp();
    const reason = "document_parsing_exception: failed to parse. Preview of field's value: 'hunter2'";
    for (const records of [2, 3]) emit({ is: "rejected", output: "es", records, reason });
    emit({ is: "lost", where: "queue", name: "queue", records: 1, bytes: 10, reason: "damaged" });
    const entries = await rest(input);
    expect(entries).toMatchObject([
      { event: "agent.rejected", records: 5, count: 2 },
      { event: "agent.lost", level: "error", records: 1, bytes: 10 },
    ]);
    expect(JSON.stringify(entries)).not.toContain("hunter2");
  });

  test("while nobody reads, memory is bounded: the oldest is dropped, and counted", async () => {
    const { input, emit } = setUp();
    for (let i = 0; i < 1005; i++) emit({ is: "notice", level: "error", component: `part ${i}`, message: "broken" });
    const entries = await rest(input);
    expect(entries).toHaveLength(1000);
    expect(entries[0]).toMatchObject({ component: "part 5", dropped: 5 });
    expect(entries[1]).not.toHaveProperty("dropped");
  });

  test("no id comes twice after a restart", async () => {
    const ids: string[] = [];
    let positions = new Map<string, string>();
    for (let run = 0; run < 3; run++) {
      const { input, state } = setUp("warn", { positions });
      state("failed", "broken");
      input.stop();
      for await (const batch of input.read()) {
        ids.push(batch.id(0));
        positions = new Map(batch.positions.map(({ key, value }) => [key, value!]));
      }
    }
    expect(new Set(ids).size).toBe(3);
  });

  test("`once` ends at once, its own state is not its news, and in the end it listens no more", async () => {
    const { input, emit, state, listeners } = setUp("info", { once: true });
    emit({ is: "component", kind: "input", name: "internal", state: "failed" });
    state("failed", "broken");
    const batches = [];
    for await (const batch of input.read()) batches.push(...entriesOf(batch));
    expect(batches).toMatchObject([{ event: "agent.output.failed", level: "error" }]);
    expect(listeners.size).toBe(0);
    await input.close();
    await input.close();
  });
});
