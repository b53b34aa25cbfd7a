import { describe, expect, it } from "vitest";
import { SimDisk } from "../../test/model/disk-queue-sim.ts";
import { type DeadLetter, type DeadLetterOptions, openDeadLetters, readDeadLetters } from "./dead-letters.ts";

const now = 1_770_000_000_000;
const KEY = Buffer.alloc(32, 7);

function open(disk: SimDisk, options: Partial<DeadLetterOptions> = {}) {
  const clock = { now: () => now, monotonic: () => now };
  return openDeadLetters({
    dir: "/dl",
    maxBytes: 1 << 20,
    maxAge: 86_400_000,
    clock,
    emit: () => {},
    disk,
    ...options,
  });
}

const letter = (n: number, output = "es"): DeadLetter => ({
  time: now,
  output,
  reason: "why",
  attempts: 1,
  id: `id-${n}`,
  tag: "t",
  path: "/logs/a.jsonl",
  offset: n,
  original: Buffer.from(`{"n":${n}}`),
});

async function idsIn(disk: SimDisk, key?: Buffer): Promise<string[]> {
  const ids: string[] = [];
  for await (const { output, id } of readDeadLetters({ dir: "/dl", disk, key })) ids.push(`${output} ${id}`);
  return ids;
}

describe.each([
  { name: "plain", key: undefined },
  { name: "encrypted", key: KEY },
])("taken letters, $name", ({ key }) => {
  it("are handed out, and gone once they are used; the others stay as they were", async () => {
    const disk = new SimDisk();
    const box = await open(disk, { key });
    await box.append([letter(1), letter(2), letter(1, "s3")]);
    await box.append([letter(3)]);
    const used: DeadLetter[] = [];
    const gone: DeadLetter[] = [];
    await box.take(
      ({ output, id }) => output === "es" && id !== "id-3",
      async (letters) => void used.push(...letters),
      (letters) => void gone.push(...letters),
    );
    expect(gone).toEqual(used);
    expect(used).toEqual([letter(1), letter(2)]);
    expect(await idsIn(disk, key)).toEqual(["s3 id-1", "es id-3"]);
    expect(box.stats().records).toBe(2);
    // What was measured is what a new start measures.
    const { bytes } = box.stats();
    await box.close();
    const again = await open(
      disk.restart("power", () => 0.5),
      { key },
    );
    expect(again.stats()).toEqual({ records: 2, bytes });
    await again.close();
  });

  it("stay where they could not be used", async () => {
    const disk = new SimDisk();
    const box = await open(disk, { key });
    await box.append([letter(1)]);
    const refuse = () => Promise.reject(new Error("full"));
    await expect(box.take(() => true, refuse)).rejects.toThrow("full");
    expect(await idsIn(disk, key)).toEqual(["es id-1"]);
    await box.take(
      () => true,
      async () => {},
    );
    await box.close();
  });

  it("a letter taken and refused again is kept again; one that comes meanwhile is no part of it", async () => {
    const disk = new SimDisk();
    const box = await open(disk, { key });
    await box.append([letter(1)]);
    await box.take(
      () => true,
      // While they are used others are kept: who uses them may be waiting for that.
      () => box.append([letter(2)]),
    );
    expect(await idsIn(disk, key)).toEqual(["es id-2"]);
    await box.append([letter(1)]);
    expect(await idsIn(disk, key)).toEqual(["es id-2", "es id-1"]);
    await box.close();
  });

  it("refused again while they are used, they are letters again", async () => {
    const disk = new SimDisk();
    const box = await open(disk, { key });
    await box.append([letter(1), letter(2)]);
    await box.take(
      () => true,
      () => box.append([letter(1)]),
    );
    expect(await idsIn(disk, key)).toEqual(["es id-1"]);
    await box.close();
    // Also where they are from an earlier run.
    const again = await open(disk, { key });
    await again.take(
      () => true,
      () => again.append([letter(1)]),
    );
    expect(await idsIn(disk, key)).toEqual(["es id-1"]);
    expect(again.stats().records).toBe(1);
    await again.close();
  });

  it("the last of a file takes the file with it, and the next letter begins another", async () => {
    const disk = new SimDisk();
    const box = await open(disk, { key });
    await box.append([letter(1)]);
    await box.take(
      () => true,
      async () => {},
    );
    expect(await disk.list("/dl")).toEqual([]);
    expect(box.stats()).toEqual({ records: 0, bytes: 0 });
    await box.append([letter(2)]);
    expect(await idsIn(disk, key)).toEqual(["es id-2"]);
    await box.close();
  });
});

describe("with keys that changed", () => {
  it("what was encrypted stays so, and a file that cannot be read keeps nobody else's", async () => {
    const disk = new SimDisk();
    const encrypted = await open(disk, { key: KEY });
    await encrypted.append([letter(1), letter(2)]);
    await encrypted.close();
    const plain = await open(disk, { previousKeys: [KEY] });
    await plain.append([letter(3)]);
    await plain.take(
      ({ id }) => id === "id-1",
      async () => {},
    );
    await plain.close();
    expect(await idsIn(disk, KEY)).toEqual(["es id-2", "es id-3"]);
    const [first] = [...disk.names.keys()].sort();
    expect(disk.names.get(first!)!.data.toString()).toContain('"encrypted":1');
    const keyless = await open(disk);
    const used: DeadLetter[] = [];
    await keyless.take(
      () => true,
      async (letters) => void used.push(...letters),
    );
    expect(used).toEqual([letter(3)]);
    await keyless.close();
    expect(await idsIn(disk, KEY)).toEqual(["es id-2"]);
  });
});
