import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import { RecordBatch, Spans } from "../api/batch.ts";
import { drain, lines, put, QueueHome, reader } from "./harness.ts";
import type { QueueOptions } from "./queue.ts";
import type { Block } from "./types.ts";

let home: QueueHome;
const start = (options?: Partial<QueueOptions>) => home.start(options);

beforeEach(async () => {
  home = await QueueHome.make();
});
afterEach(() => home.remove());

describe("memory of batches that can be given back", () => {
  let given: ArrayBuffer[];
  beforeEach(() => {
    given = [];
  });
  const owned = (text: string) => batchOf([text], { release: (memory) => void given.push(memory) });
  const extra = { read: 1, created: 0, filtered: 0, states: [] };

  it("goes back once every cursor has passed it, and not before", async () => {
    const queue = await start();
    const fast = await reader(queue);
    const slow = await reader(queue, { alias: "slow" });
    const batch = owned("x".repeat(100));
    const memory = batch.buffer.buffer;
    await queue.append(batch, extra);
    await queue.flush();
    expect(await drain(fast)).toHaveLength(1);
    await fast.commit(fast.position, null);
    expect(given).toEqual([]);
    expect(await drain(slow)).toEqual(["x".repeat(100)]);
    expect(given).toEqual([]);
    await slow.commit(slow.position, null);
    expect(given.map(({ byteLength }) => byteLength)).toEqual([101]);
    expect(memory.byteLength).toBe(0);
  });

  it("takes along where the fields are", async () => {
    const queue = await start();
    const out = await reader(queue);
    const batch = owned('{"a":1}');
    const cells = new ArrayBuffer(8);
    const [starts, ends] = [new Uint32Array(cells, 0, 1), new Uint32Array(cells, 4, 1)];
    batch.scanned = new Spans(1, starts, ends, new Uint8Array(1));
    await queue.append(batch, extra);
    await queue.flush();
    await drain(out);
    expect([starts.length, ends.length]).toEqual([1, 1]);
    await out.commit(out.position, null);
    expect([starts.length, ends.length]).toEqual([0, 0]);
  });

  it("goes back where no record of it is left, or nobody reads", async () => {
    const queue = await start();
    await queue.append(owned("nobody reads"), extra);
    await queue.flush();
    expect(given).toHaveLength(1);
    await reader(queue);
    await queue.append(owned("dropped").select(new Uint32Array(), 0), { ...extra, filtered: 1 });
    await queue.flush();
    expect(given).toHaveLength(2);
  });

  it("waits for everything that filters made of it", async () => {
    const queue = await start();
    const out = await reader(queue);
    const batch = owned("one");
    const created = new RecordBatch({ ...batch, kind: "made" });
    await Promise.all([queue.append(created, { ...extra, read: 0, created: 1 }), queue.append(batch, extra)]);
    await queue.flush();
    await drain(out);
    await out.commit({ seq: 2, index: 0 }, null);
    expect(given).toHaveLength(0);
    expect(batch.bytes(0).toString()).toBe("one");
    await out.commit(out.position, null);
    expect(given).toHaveLength(1);
  });

  it("stays where one made of it cannot be given back, or a write that was given up may still read it", async () => {
    const queue = await start();
    const out = await reader(queue);
    const batch = owned("kept");
    const created = new RecordBatch({ ...batch, release: undefined });
    await Promise.all([queue.append(created, { ...extra, read: 0, created: 1 }), queue.append(batch, extra)]);
    const { promise, resolve } = Promise.withResolvers<void>();
    out.holdWhile(promise);
    const held = owned("held");
    await queue.append(held, extra);
    await queue.flush();
    await drain(out);
    await out.commit(out.position, null);
    resolve();
    await promise;
    await put(queue, ["next"]);
    await queue.flush();
    expect(given).toHaveLength(0);
    expect(linesOf([batch, held])).toEqual(["kept", "held"]);
  });

  it("goes back before the cursor is there where its reader let go of it", async () => {
    const queue = await start();
    const out = await reader(queue);
    for (const text of ["one", "two"]) await queue.append(owned(text), extra);
    await queue.flush();
    await drain(out);
    expect(given).toHaveLength(0);
    out.holdAtMost(0);
    expect(given).toHaveLength(2);
    // What is to be read again is read from disk, and may be looked at again.
    out.seek({ seq: 1, index: 0 });
    const again = await out.next();
    await queue.append(owned("three"), extra);
    await queue.flush();
    expect(lines(again!)).toEqual(["one"]);
    expect(given).toHaveLength(2);
  });

  const turn = () => new Promise((resolve) => setImmediate(resolve));
  /** A block in memory that only `range` still looks at, as soon as the one behind has read it. */
  async function ranged() {
    const queue = await start();
    const [out, behind] = [await reader(queue), await reader(queue, { alias: "behind" })];
    await queue.append(owned("ranged"), extra);
    await queue.flush();
    await drain(out);
    out.holdAtMost(0);
    const range = () => out.range({ seq: 1, index: 0 }, { seq: 2, index: 0 })[Symbol.asyncIterator]();
    const pass = async () => {
      await drain(behind);
      await behind.commit(behind.position, null);
    };
    return { queue, out, range, pass };
  }

  it("stays as long as anyone who reads it again is at it", async () => {
    const { queue, range, pass } = await ranged();
    const [first, second] = [range(), range()];
    await first.next();
    const block = await second.next();
    expect((await first.next()).done).toBe(true);
    await turn();
    await pass();
    expect(lines(block.value)).toEqual(["ranged"]);
    expect(given).toHaveLength(0);
    await second.next();
    await turn();
    await put(queue, ["next"]);
    await queue.flush();
    expect(given).toHaveLength(1);
  });

  it("stays for who begins to read it again while the one before has just ended", async () => {
    const { range, pass } = await ranged();
    for await (const _ of { [Symbol.asyncIterator]: range }) break;
    const block = await range().next();
    await turn();
    await pass();
    expect(lines(block.value)).toEqual(["ranged"]);
  });

  it("goes back where nobody ends the reading, once the cursor has passed it", async () => {
    const { out, range, pass } = await ranged();
    await range().next();
    await pass();
    expect(given).toHaveLength(0);
    await out.commit({ seq: 2, index: 0 }, null);
    expect(given).toHaveLength(1);
  });

  it("is another block's as soon as who reads from disk asks for the next one", async () => {
    const queue = await start({ memoryBytes: 1 });
    const out = await reader(queue);
    const texts = Array.from({ length: 4 }, (_, i) => `${i}`.repeat(100));
    for (const text of texts) await queue.append(owned(text), extra);
    await queue.flush();
    const seen: Block[] = [];
    for await (const block of out.range({ seq: 1, index: 0 }, { seq: 5, index: 0 })) {
      expect(lines(block)).toEqual([texts[seen.length]]);
      expect(seen.map(({ batch }) => batch.buffer.length)).toEqual(seen.map(() => 0));
      seen.push(block);
    }
    expect(seen).toHaveLength(4);
  });

  it("goes back at once where it is read from disk later", async () => {
    const queue = await start({ memoryBytes: 1000 });
    const out = await reader(queue);
    const texts = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(400));
    for (const text of texts) await queue.append(owned(text), extra);
    await queue.flush();
    expect(given.length).toBeGreaterThan(5);
    expect(await drain(out)).toEqual(texts);
  });
});
