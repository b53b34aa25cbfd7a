import { describe, expect, it } from "vitest";
import { diskError, SimDisk } from "../../test/model/disk-queue-sim.ts";
import type { AgentEvent } from "../api/events.ts";
import { type DeadLetter, type DeadLetterOptions, openDeadLetters, readDeadLetters } from "./dead-letters.ts";

let now = 1_770_000_000_000;
const events: AgentEvent[] = [];
const open = (disk: SimDisk, options: Partial<DeadLetterOptions> = {}) =>
  openDeadLetters({
    dir: "/dl",
    maxBytes: 1 << 20,
    maxAge: 86_400_000,
    clock: { now: () => now, monotonic: () => now },
    emit: (event) => void events.push(event),
    disk,
    ...options,
  });
const letter = (n: number, changes: Partial<DeadLetter> = {}): DeadLetter => ({
  time: now,
  output: "es",
  reason: 'a "reason"\n\u2028',
  attempts: 2,
  id: `id-${n}`,
  tag: "t",
  path: "/logs/a.jsonl",
  offset: n,
  original: Buffer.from(`{"n":${n},"é":1.0}`),
  ...changes,
});

async function read(disk: SimDisk, options: { key?: Buffer; previousKeys?: Buffer[] } = {}): Promise<DeadLetter[]> {
  const all: DeadLetter[] = [];
  for await (const one of readDeadLetters({ dir: "/dl", disk, ...options })) all.push(one);
  return all;
}

describe("dead letters", () => {
  it("come back as they were, byte by byte, also after a power cut", async () => {
    const disk = new SimDisk();
    const letters = await open(disk);
    const bad = letter(2, { original: Buffer.from([0xff, 0x00, 0x0a, 0xc3]), path: undefined });
    await letters.append([letter(1), bad]);
    const { records } = letters.stats();
    expect(records).toBe(2);
    const after = disk.restart("power", () => 0.9);
    expect(await read(after)).toEqual([letter(1), bad]);
    const again = await open(after);
    expect(again.stats()).toEqual(letters.stats());
    // The replay after the crash refuses the same records again.
    await again.append([letter(1), bad, letter(3), letter(1, { output: "other" })]);
    expect((await read(after)).map(({ id, output }) => `${output} ${id}`)).toEqual([
      "es id-1",
      "es id-2",
      "es id-3",
      "other id-1",
    ]);
    await again.close();
    await expect(again.append([letter(9)])).rejects.toThrow("closed");
  });

  it("a torn line is no letter, and the next run writes behind none", async () => {
    const disk = new SimDisk();
    const letters = await open(disk);
    await letters.append([letter(1), letter(2)]);
    const path = [...disk.names.keys()][0]!;
    const { length } = disk.names.get(path)!.data;
    for (let cut = 0; cut <= length; cut += 3) {
      const torn = disk.restart("kill", Math.random);
      const inode = torn.names.get(path)!;
      inode.data = Buffer.from(inode.data.subarray(0, cut));
      const again = await open(torn);
      await again.append([letter(1), letter(2), letter(3)]);
      expect((await read(torn)).map(({ offset }) => offset)).toEqual([1, 2, 3]);
      await again.close();
    }
  });

  it("the oldest go when there are too many bytes, or when they are too old, counted", async () => {
    const disk = new SimDisk();
    const letters = await open(disk, { maxBytes: 20_000 });
    events.length = 0;
    for (let i = 0; i < 300; i++) await letters.append([letter(i)]);
    const lost = () => events.flatMap((event) => (event.is === "lost" ? [event.records] : []));
    const sum = () => lost().reduce((a, b) => a + b, 0);
    expect(letters.stats().bytes).toBeLessThanOrEqual(20_000);
    expect(letters.stats().records + sum()).toBe(300);
    expect((await read(disk)).at(-1)).toEqual(letter(299));
    now += 86_400_001;
    await letters.append([letter(1_000)]);
    expect(sum()).toBe(300);
    expect(letters.stats().records).toBe(1);
    await letters.close();
  });

  it("encrypted: nothing readable on disk, the key rotates, a wrong one is named", async () => {
    const disk = new SimDisk();
    const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const letters = await open(disk, { key: first });
    await letters.append([letter(1), letter(2)]);
    await letters.close();
    expect([...disk.names.values()][0]!.data.includes("logs")).toBe(false);
    await expect(read(disk, { key: second })).rejects.toThrow("previous_keys");
    const again = await open(disk, { key: second, previousKeys: [first] });
    expect(again.stats().records).toBe(2);
    await again.append([letter(2), letter(3)]);
    expect(await read(disk, { key: second, previousKeys: [first] })).toEqual([letter(1), letter(2), letter(3)]);
    await again.close();
  });

  it("a full disk: the reserve is given up; without one the caller is told, and may try again", async () => {
    const disk = new SimDisk();
    let full = true;
    let released = 0;
    const reserve = {
      release: async () => {
        full = false;
        return ++released === 1;
      },
      restore: async () => true,
    };
    disk.before = (operation) => {
      if (full && operation === "writev") throw diskError("ENOSPC");
    };
    const letters = await open(disk, { reserve });
    await letters.append([letter(1)]);
    full = true;
    await expect(letters.append([letter(2)])).rejects.toThrow("ENOSPC");
    full = false;
    await letters.append([letter(2)]);
    expect((await read(disk)).map(({ offset }) => offset)).toEqual([1, 2]);
    disk.before = (operation) => {
      if (operation === "datasync") throw diskError("EIO");
    };
    await expect(letters.append([letter(3)])).rejects.toThrow("EIO");
    disk.before = () => undefined;
    await letters.append([letter(3)]);
    expect((await read(disk)).map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect(letters.stats().records).toBe(3);
    await letters.close();
  });
});
