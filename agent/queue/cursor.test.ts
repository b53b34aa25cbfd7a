import { describe, expect, it } from "vitest";
import { SimDisk } from "../../test/model/disk-queue-sim.ts";
import { CursorDataError, type CursorRecord, createCursor, listCursors, openCursor } from "./cursor.ts";

const record = (seq: number, data: unknown = { n: seq }): CursorRecord => ({
  seq,
  index: 0,
  durable: seq,
  passed: [seq, 10 * seq],
  tags: ["t"],
  data,
});

describe("cursor", () => {
  it("is one of the last two records, whichever byte is damaged", async () => {
    const disk = new SimDisk();
    const cursor = await createCursor(disk, "/c", "out", record(1));
    await cursor.write(record(2), true);
    await cursor.write(record(3), true);
    await cursor.close();
    const path = "/c/out.cursor";
    for (let at = 0; at < 8192; at += at % 4096 < 300 ? 1 : 97) {
      const damaged = disk.restart("kill", Math.random);
      damaged.names.get(path)!.data[at]! ^= 0x40;
      const opened = await openCursor(damaged, "/c", "out");
      expect([2, 3], `byte ${at}`).toContain(opened!.place.seq);
      await opened!.write(record(9), true);
      expect((await openCursor(damaged, "/c", "out"))!.place.seq).toBe(9);
    }
  });

  it("a write torn by a power cut leaves the last synced record", async () => {
    for (let cut = 0; cut < 400; cut += 7) {
      const disk = new SimDisk();
      const cursor = await createCursor(disk, "/c", "out", record(1));
      await cursor.write(record(2), true);
      await cursor.write(record(3), false);
      disk.stopAfter = 0;
      disk.random = () => cut / 4096;
      void cursor.write(record(4), false);
      await disk.whenStopped();
      const after = await openCursor(disk.restart("kill", Math.random), "/c", "out");
      expect([2, 3, 4]).toContain(after!.place.seq);
      expect(after!.record!.data).toEqual({ n: after!.place.seq });
    }
  });

  it("takes data up to its limit, many tags, and says when it is too much", async () => {
    const disk = new SimDisk();
    const cursor = await createCursor(disk, "/c", "a.b-c_d", record(1));
    const data = "x".repeat(3_500);
    const tags = Array.from({ length: 100 }, (_, i) => `tag.${i}`);
    await cursor.write({ ...record(2, data), tags, seq: Number.MAX_SAFE_INTEGER }, true);
    const opened = await openCursor(disk, "/c", "a.b-c_d");
    expect(opened!.record).toMatchObject({ data, tags: null, seq: Number.MAX_SAFE_INTEGER });
    expect(() => cursor.write(record(3, "é".repeat(2_000)), true)).toThrow(CursorDataError);
    expect(await listCursors(disk, "/c")).toEqual(["a.b-c_d"]);
    expect(await openCursor(disk, "/c", "other")).toBeUndefined();
  });
});
