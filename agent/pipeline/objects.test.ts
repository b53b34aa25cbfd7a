import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import type { RecordBatch } from "../api/batch.ts";
import type { Block, Place } from "../queue/types.ts";
import { precedes } from "./chunk.ts";
import { partitionKey } from "./object-plan.ts";
import { type Group, Grouper, MAX_OPEN_PARTITIONS } from "./objects.ts";

/** The partition is the text before the first `:` of a record. */
const partition = (batch: RecordBatch, index: number) => batch.bytes(index).toString().split(":")[0]!;
const block = (seq: number, lines: string[]): Block => ({
  seq,
  time: seq,
  batch: batchOf(lines, { firstOffset: seq * 1_000 }),
});

function grouper(bytes = 1_000_000, done = new Map<string, Place>(), settled = new Map<number, number>()) {
  const onSettled = (seq: number, records: number) => void settled.set(seq, (settled.get(seq) ?? 0) + records);
  return new Grouper(partition, { bytes, ageMs: 100 }, done, onSettled);
}

describe("Grouper", () => {
  it("groups by partition over blocks, in order", () => {
    const g = grouper();
    g.add(block(1, ["a:1", "b:1", "a:2"]), 0, 0);
    g.add(block(2, ["b:2"]), 0, 0);
    expect(g.ripen(0, true)).toBe(Number.POSITIVE_INFINITY);
    const [a, b] = g.ready;
    expect(a).toMatchObject({ partition: "a", from: { seq: 1, index: 0 }, to: { seq: 2, index: 0 }, records: 2 });
    expect(b).toMatchObject({ partition: "b", from: { seq: 1, index: 1 }, to: { seq: 3, index: 0 }, records: 2 });
    expect([...b!.perBlock!]).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it("completes a group at its size, in the middle of a block", () => {
    const g = grouper(8);
    g.add(block(1, ["a:1", "a:2", "a:3"]), 0, 0);
    expect(g.ready).toHaveLength(1);
    expect(g.ready[0]).toMatchObject({ to: { seq: 1, index: 2 }, records: 2 });
    expect(g.open.get("a")).toMatchObject({ from: { seq: 1, index: 2 }, records: 1 });
    expect(g.ready[0]?.last).not.toBe(g.open.get("a")?.first);
  });

  it("completes a group at its age, and says when the next is due", () => {
    const g = grouper();
    g.add(block(1, ["a:1"]), 0, 1_000);
    g.add(block(2, ["b:1"]), 0, 1_050);
    expect(g.ripen(1_100, false)).toBe(1_150);
    expect(g.ready.map((r) => r.partition)).toEqual(["a"]);
  });

  it("writes the oldest partition early rather than holding ever more open", () => {
    const g = grouper();
    const lines = Array.from({ length: MAX_OPEN_PARTITIONS + 1 }, (_, i) => `p${i}:x`);
    g.add(block(1, lines), 0, 0);
    expect(g.open.size).toBe(MAX_OPEN_PARTITIONS);
    expect(g.ready.map((r) => r.partition)).toEqual(["p0"]);
  });

  it("passes over what is settled already", () => {
    const settled = new Map<number, number>();
    const g = grouper(1_000, new Map([[partitionKey("a"), { seq: 2, index: 1 }]]), settled);
    g.add(block(1, ["a:1", "b:1"]), 0, 0);
    g.add(block(2, ["a:2", "a:3"]), 0, 0);
    expect([...settled]).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(g.open.get("a")).toMatchObject({ from: { seq: 2, index: 1 }, records: 1 });
    expect(g.earliest()).toEqual({ seq: 1, index: 1 });
  });

  it("puts every record into exactly one group, in order within its partition", () => {
    const lines = fc.array(fc.constantFrom("a:1", "b:22", "c:333"), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(lines, { minLength: 1, maxLength: 6 }), fc.integer({ min: 4, max: 40 }), (blocks, bytes) => {
        const g = grouper(bytes);
        for (const [i, content] of blocks.entries()) g.add(block(i + 1, content), 0, 0);
        g.ripen(0, true);
        const total = blocks.flat().length;
        expect(g.ready.reduce((sum, group) => sum + group.records, 0)).toBe(total);
        const last = new Map<string, Group>();
        for (const group of g.ready) {
          const previous = last.get(group.partition);
          if (previous) expect(precedes(group.from, previous.to)).toBe(false);
          last.set(group.partition, group);
          const inRange = blocks.flatMap((content, i) =>
            content.filter((line, index) => {
              const place = { seq: i + 1, index };
              return line.startsWith(group.partition) && !precedes(place, group.from) && precedes(place, group.to);
            }),
          );
          expect(inRange).toHaveLength(group.records);
        }
      }),
    );
  });
});
