import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import { RecordBatch, Spans } from "../api/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { NewerFormatError, openQueue, QueueKeyError, type QueueOptions } from "./queue.ts";
import type { Block, Place, Queue, QueueReader, ReaderOptions } from "./types.ts";

let dir: string;
let events: AgentEvent[];
const open: Queue[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "audit-agent-queue-"));
  events = [];
});
afterEach(async () => {
  for (const queue of open.splice(0)) await queue.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(options: Partial<QueueOptions> = {}): Promise<Queue> {
  const queue = await openQueue({
    dir,
    maxBytes: 1 << 30,
    segmentBytes: 64 * 1024,
    reserveBytes: 0,
    compression: "none",
    clock: systemClock,
    emit: (event) => events.push(event),
    ...options,
  });
  open.push(queue);
  return queue;
}

const reader = (queue: Queue, options: Partial<ReaderOptions> = {}): Promise<QueueReader> =>
  queue.openReader({
    alias: "out",
    match: () => true,
    start: "oldest",
    onFull: "block",
    onDrop: () => undefined,
    ...options,
  });

let offset = 0;
async function put(queue: Queue, lines: string[], tag = "t", key = "k"): Promise<void> {
  const batch = batchOf(lines, { tag, firstOffset: offset, positions: [{ key, value: String(offset) }] });
  offset += batch.buffer.length;
  await queue.append(batch, { read: lines.length, created: 0, filtered: 0, states: [] });
}

const lines = (block: Block) => Array.from({ length: block.batch.count }, (_, i) => block.batch.bytes(i).toString());

async function drain(from: QueueReader): Promise<string[]> {
  const all: string[] = [];
  for (let block = await from.next(); block; block = await from.next()) all.push(...lines(block));
  return all;
}

describe("queue", () => {
  it("hands fresh blocks from memory and old ones from disk, in order", async () => {
    const queue = await start();
    const out = await reader(queue);
    await put(queue, ["a", "b"]);
    await put(queue, ["c"]);
    await queue.flush();
    expect(out.backlog().records).toBe(3);
    expect(await drain(out)).toEqual(["a", "b", "c"]);
    await out.commit({ seq: 1, index: 1 }, { x: 1 }, { sync: true });
    expect(out.backlog().records).toBe(2);
    await queue.close();

    const again = await start();
    const back = await reader(again);
    expect(back.cursor).toEqual({ seq: 1, index: 1 });
    expect(back.data).toEqual({ x: 1 });
    expect(back.replayedTo).toBe(2);
    expect(back.backlog().records).toBe(2);
    expect(await drain(back)).toEqual(["a", "b", "c"]);
    expect([...(again.positions.get("tail") ?? [])]).toHaveLength(1);
    expect(again.totals().get("t")?.appended).toBe(3);
    await put(again, ["d"]);
    await again.flush();
    expect(await drain(back)).toEqual(["d"]);
    expect(events).toEqual([]);
  });

  it("puts at least as much into a segment as its snapshot takes, however many positions there are", async () => {
    const queue = await start({ segmentBytes: 32 * 1024 });
    await reader(queue);
    const long = "x".repeat(1000);
    for (let i = 0; i < 400; i++) await put(queue, [`${i}`], "t", `file-${i}-${long}`);
    expect(queue.stats().segments).toBeLessThan(20);
    await queue.close();
    open.splice(0);
    expect((await start()).positions.get("tail")?.size).toBe(400);
  });

  it("frees segments every cursor has passed, and recycles their files", async () => {
    const queue = await start({ segmentBytes: 32 * 1024 });
    const out = await reader(queue);
    for (let i = 0; i < 60; i++) {
      await put(queue, [`line ${i}`]);
      await queue.flush();
      expect(await drain(out)).toEqual([`line ${i}`]);
      await out.commit(out.position, null);
    }
    expect(queue.stats().segments).toBeLessThanOrEqual(2);
    expect(out.backlog()).toEqual({ records: 0, bytes: 0, oldest: undefined });
  });

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

  describe("the pace of what is read", () => {
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const MANY = 10 * 1024 * 1024;
    /** Resolves to whether the promise is settled before the next turn of the event loop. */
    const atOnce = (promise: Promise<void>) =>
      Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

    it("is that of a reader at work, which so has everything from memory", async () => {
      const queue = await start({ clock, memoryBytes: 4_000 });
      const out = await reader(queue);
      let fromDisk = 0;
      let taken = 0;
      const reading = (async () => {
        while (taken < 100) {
          const next = out.next();
          if (next instanceof Promise) fromDisk++;
          if (await next) taken++;
          // As slow as an event loop allows without being idle.
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      for (let i = 0; i < 100; i++) {
        await put(queue, ["x".repeat(400)]);
        await queue.pace(MANY);
      }
      await queue.flush();
      await reading;
      expect(fromDisk).toBe(0);
    });

    it("is nobody's where there is room, no reader is at work, or the reader is far behind", async () => {
      const queue = await start({ clock, memoryBytes: 4_000 });
      const out = await reader(queue);
      await put(queue, ["x".repeat(400)]);
      await queue.flush();
      await out.next();
      await put(queue, ["x".repeat(400)]);
      expect(await atOnce(queue.pace(MANY))).toBe(true);
      for (let i = 0; i < 5; i++) await put(queue, ["x".repeat(400)]);
      await queue.flush();
      const paced = queue.pace(MANY);
      expect(await atOnce(paced)).toBe(false);
      await paced;
      // It waits for a server, say.
      now += 1_000;
      expect(await atOnce(queue.pace(MANY))).toBe(true);
      await out.next();
      for (let i = 0; i < 100; i++) await put(queue, ["x".repeat(400)]);
      await queue.flush();
      expect(await atOnce(queue.pace(MANY))).toBe(true);
    });
  });

  it("waits while it is full, says so once, and goes on as soon as there is room", async () => {
    const queue = await start({ maxBytes: 128 * 1024, segmentBytes: 32 * 1024 });
    const out = await reader(queue);
    let done = 0;
    const appends = (async () => {
      for (let i = 0; i < 30; i++) {
        await put(queue, ["x".repeat(8_000)]);
        done++;
      }
    })();
    await expect.poll(() => queue.stats().blocked?.why).toBe("the queue is full");
    const before = done;
    expect(queue.stats().bytes).toBeLessThanOrEqual(128 * 1024);
    let taken = 0;
    while (taken < 30) {
      const block = await out.next();
      if (block) {
        taken++;
        await out.commit(out.position, null);
      } else {
        await out.wait(AbortSignal.timeout(5_000));
      }
    }
    await appends;
    expect(before).toBeLessThan(30);
    expect(queue.stats().blocked).toBeUndefined();
    expect(events.filter(({ is }) => is === "queue_full").length).toBe(
      events.filter(({ is }) => is === "queue_space").length,
    );
  });

  it("takes urgent blocks into its reserve, past others that wait; blocks of one input keep their order", async () => {
    const queue = await start({ maxBytes: 128 * 1024, segmentBytes: 32 * 1024, reserveBytes: 64 * 1024 });
    const out = await reader(queue);
    const order: string[] = [];
    const add = (input: string, name: string, size: number, urgent?: () => boolean) => {
      const source = { id: "s", input, group: "g" };
      const extra = { read: 1, created: 0, filtered: 0, states: [], ...(urgent ? { urgent } : {}) };
      return queue.append(batchOf([`${name}${"x".repeat(size)}`], { source }), extra).then(() => order.push(name));
    };
    for (let i = 0; i < 4; i++) await add("fill", `fill${i}`, 8_000);
    let vanishing = false;
    const waiting = [add("a", "a1", 40_000), add("a", "a2", 10), add("b", "b1", 40_000, () => vanishing)];
    waiting.push(add("b", "b2", 10, () => vanishing));
    await expect.poll(() => queue.stats().blocked).toBeDefined();
    expect(order).toHaveLength(4);
    vanishing = true;
    await expect.poll(() => order.slice(4)).toEqual(["b1", "b2"]);
    await queue.flush();
    await drain(out);
    await out.commit(out.position, null);
    await Promise.all(waiting);
    expect(order.slice(4)).toEqual(["b1", "b2", "a1", "a2"]);
  });

  it("positions that change while an append waits are stored at once, as long as the reserve has room", async () => {
    const sizes = { maxBytes: 128 * 1024, segmentBytes: 32 * 1024, reserveBytes: 64 * 1024 };
    const queue = await start(sizes);
    await reader(queue);
    const source = { id: "s", input: "in", group: "g" };
    const positions = [{ key: "s", value: "after" }];
    const fill = batchOf(["x".repeat(60_000)], { source });
    await queue.append(fill, { read: 1, created: 0, filtered: 0, states: [] });
    const news = [[{ key: "new", value: "1" }], [], [{ key: "new", value: "2" }]];
    const meanwhile = () => news.shift() ?? [];
    const waiting = batchOf(["x".repeat(60_000)], { source, positions });
    const append = queue.append(waiting, { read: 1, created: 0, filtered: 0, states: [], meanwhile });
    append.catch(() => undefined);
    await expect.poll(() => queue.positions.get("in")?.get("new"), { timeout: 5_000 }).toBe("2");
    expect(queue.stats().blocked).toBeDefined();
    await queue.close();
    const again = await start(sizes);
    expect(again.positions.get("in")).toEqual(new Map([["new", "2"]]));
    expect([...again.totals().values()]).toMatchObject([{ read: 1, appended: 1 }]);
  });

  it("an append that waits when the queue closes is turned away, not forgotten in silence", async () => {
    const queue = await start({ maxBytes: 64 * 1024 });
    await reader(queue);
    const appends = Array.from({ length: 20 }, () => put(queue, ["x".repeat(8_000)]).catch((e: Error) => e.name));
    await expect.poll(() => queue.stats().blocked).toBeDefined();
    await queue.close();
    expect(await Promise.all(appends)).toContain("QueueClosedError");
  });

  it("asks readers that may drop only when that frees something", async () => {
    const queue = await start({ maxBytes: 128 * 1024, segmentBytes: 32 * 1024 });
    const asked: Place[] = [];
    const dropping: QueueReader = await reader(queue, {
      alias: "dropping",
      onFull: "drop_oldest",
      onDrop: (to) => {
        asked.push(to);
        void dropping.commit(to, null);
      },
    });
    const blocking = await reader(queue, { alias: "blocking" });
    const fill = (async () => {
      for (let i = 0; i < 40; i++) await put(queue, ["x".repeat(8_000)]);
    })();
    await expect.poll(() => queue.stats().blocked).toBeDefined();
    expect(asked).toEqual([]);
    await drain(blocking);
    await blocking.commit(blocking.position, null);
    await blocking.close();
    await queue.dropOrphan("blocking");
    await fill;
    await queue.flush();
    expect(asked.length).toBeGreaterThan(0);
    const left = (await drain(dropping)).length;
    expect(dropping.backlog().records).toBe(left);
    expect(left).toBeLessThan(40);
  });

  it("keeps the backlog of an output that is gone, until it is dropped", async () => {
    const queue = await start();
    const gone = await reader(queue, { alias: "gone", match: (tag) => tag === "a" });
    await put(queue, ["1", "2"], "a");
    await put(queue, ["3"], "b");
    await put(queue, ["4"], "a");
    await queue.flush();
    await gone.next();
    await gone.commit({ seq: 1, index: 1 }, null);
    await queue.close();
    const again = await start();
    const fresh = await reader(again, { alias: "fresh", start: "end" });
    const old = await reader(again, { alias: "old", start: "oldest" });
    expect(fresh.backlog().records).toBe(0);
    expect(old.backlog().records).toBe(4);
    const [orphan] = await again.orphans();
    expect(orphan).toMatchObject({ alias: "gone", records: 2 });
    await again.dropOrphan("gone");
    expect(await again.orphans()).toEqual([]);
    await again.close();
    const third = await start();
    await reader(third, { alias: "fresh" });
    await reader(third, { alias: "old" });
    expect(await third.orphans()).toEqual([]);
  });

  it("refuses to open without the right key, changing nothing, and reads on with old and new keys", async () => {
    const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const queue = await start({ key: first });
    await reader(queue);
    await put(queue, ["secret line"], "secret.tag");
    await queue.close();
    const files = (await readdir(dir)).filter((name) => name.endsWith(".segment"));
    const content = await readFile(join(dir, files[0]!));
    expect(content.includes("secret")).toBe(false);
    expect(content.includes("/logs/")).toBe(false);
    await expect(start()).rejects.toThrow(QueueKeyError);
    await expect(start({ key: second })).rejects.toThrow(/key \(id [0-9a-f]+\) that is not among those given/);
    expect(await readFile(join(dir, files[0]!))).toEqual(content);
    const rotated = await start({ key: second, previousKeys: [first] });
    const out = await reader(rotated);
    await put(rotated, ["another"]);
    await rotated.flush();
    expect(await drain(out)).toEqual(["secret line", "another"]);
    await rotated.close();
    const plain = await start({ previousKeys: [first, second] });
    expect(await drain(await reader(plain))).toEqual(["secret line", "another"]);
  });

  it("refuses a newer format untouched", async () => {
    const queue = await start();
    await put(queue, ["a"]);
    await queue.close();
    const file = join(dir, (await readdir(dir)).find((name) => name.endsWith(".segment"))!);
    const content = await readFile(file);
    content.writeUInt32LE(2, 8);
    content.writeUInt32LE(crc32(content.subarray(16, 64), crc32(content.subarray(0, 12))), 12);
    await writeFile(file, content);
    await expect(start()).rejects.toThrow(NewerFormatError);
    expect(await readFile(file)).toEqual(content);
  });

  it("gives batches back as they were: thinned, cut, flagged, with additions, from disk", async () => {
    for (const options of [{}, { compression: "zstd" as const, key: Buffer.alloc(32, 3) }]) {
      const queue = await start({ ...options, dir: join(dir, `${Object.keys(options).length}`) });
      const out = await reader(queue);
      const all = Array.from({ length: 200 }, (_, i) => `line ${i} é ${"y".repeat(i)}`);
      const whole = batchOf(all, { kind: "broken", altered: true, flags: new Uint8Array(200).fill(1), readTime: 5 });
      const keep = Uint32Array.from({ length: 67 }, (_, i) => 3 * i);
      const additions = [{ path: ["metadata", "x"], json: Buffer.from('"ü"') } as const];
      const cuts = new Map([[3, { length: 9_999, sha256: "ab" }]]);
      const batch = new RecordBatch({ ...whole.select(keep, 67).with(additions), cuts });
      const state = Buffer.from([1, 2, 255]);
      const states = [{ filter: "f", group: "g", state }];
      await queue.append(batch, { read: 200, created: 0, filtered: 133, states });
      await queue.append(batchOf([]), { read: 4, created: 0, filtered: 4, states: [] });
      await queue.close();
      const again = await start({ ...options, dir: join(dir, `${Object.keys(options).length}`) });
      const back = (await (await reader(again)).next())!;
      expect(lines(back)).toEqual(all.filter((_, i) => i % 3 === 0));
      expect(Array.from({ length: 67 }, (_, i) => back.batch.id(i))).toEqual(
        Array.from({ length: 67 }, (_, i) => batch.id(i)),
      );
      const { additions: a, cuts: c, kind, altered, readTime, source, flags } = back.batch;
      expect({ a, c, kind, altered, readTime, source }).toEqual({
        a: additions,
        c: cuts,
        kind: "broken",
        altered: true,
        readTime: 5,
        source: batch.source,
      });
      expect([...flags!]).toEqual(new Array(67).fill(1));
      expect(again.states.get("f")?.get("g")).toEqual(state);
      expect(again.totals().get("audit.test")).toMatchObject({ read: 204, filtered: 137, appended: 67, created: 0 });
      expect(out.replayedTo).toBe(0);
    }
  });
});
