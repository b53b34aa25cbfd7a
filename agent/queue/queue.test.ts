import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { RecordBatch } from "../api/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { drain, lines, put, QueueHome, reader } from "./harness.ts";
import { NewerFormatError, QueueKeyError, type QueueOptions } from "./queue.ts";
import type { Place, QueueReader } from "./types.ts";

let home: QueueHome;
let dir: string;
let events: AgentEvent[];
const start = (options?: Partial<QueueOptions>) => home.start(options);

beforeEach(async () => {
  home = await QueueHome.make();
  ({ dir, events } = home);
});
afterEach(() => home.remove());

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
