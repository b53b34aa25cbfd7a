import { expect, it } from "vitest";
import { batchOf as batch } from "../../test/fakes/batch.ts";
import { RecordBatch, RecordFlag } from "../api/batch.ts";
import type { DeadLetter } from "../queue/dead-letters.ts";
import { batchesOf, sentWith } from "./letters.ts";

/** As they are kept and read again: through JSON. */
function letters(of: RecordBatch, output = "es"): DeadLetter[] {
  return Array.from({ length: of.count }, (_, at) => ({
    time: 1,
    output,
    reason: "why",
    attempts: 1,
    id: of.id(at),
    tag: of.tag,
    path: of.source.path,
    offset: of.offsets[at]!,
    original: Buffer.from(of.bytes(at)),
    sent: JSON.parse(JSON.stringify(sentWith(of, at))) as DeadLetter["sent"],
  }));
}

it("come back as what was sent: bytes, ids, additions, flags, cuts and times", () => {
  const plain = batch(['{"a":1.0}', "no json", '{"b":2}'], { tag: "audit", firstOffset: 500 });
  const sent = new RecordBatch({
    ...plain,
    scanned: undefined,
    flags: Uint8Array.of(0, RecordFlag.plain | RecordFlag.cut, 0),
    cuts: new Map([[1, { length: 9_000_000, sha256: "ab" }]]),
    additions: [
      { path: ["env"], json: Buffer.from('"prod"') },
      { path: ["k8s", "pod"], json: Buffer.from('{"a":1.0}') },
    ],
    source: { ...plain.source, facility: "auth", path: "/logs/a.jsonl" },
    kind: "broken",
    altered: true,
  } as ConstructorParameters<typeof RecordBatch>[0]);
  const [back, ...others] = [...batchesOf(letters(sent))];
  expect(others).toEqual([]);
  expect(back!.only).toBe("es");
  for (let i = 0; i < 3; i++) {
    expect(back!.bytes(i).toString()).toBe(sent.bytes(i).toString());
    expect(back!.id(i)).toBe(sent.id(i));
  }
  const { tag, source, readTime, kind, altered, additions } = sent;
  expect(back).toMatchObject({ tag, readTime, kind, altered, source });
  expect(back!.additions.map(({ path, json }) => [path, json.toString()])).toEqual(
    additions.map(({ path, json }) => [path, json.toString()]),
  );
  expect([...back!.flags!]).toEqual([...sent.flags!]);
  expect(back!.cuts).toEqual(sent.cuts);
});

it("of different outputs, and with different additions, are batches of their own; large ones too", () => {
  const one = batch(['{"a":1}', '{"a":2}'], { tag: "t" });
  const other = one.with([{ path: ["env"], json: Buffer.from('"x"') }]);
  const big = batch(
    Array.from({ length: 5 }, (_, i) => JSON.stringify({ i, text: "x".repeat(400_000) })),
    { tag: "big" },
  );
  const made = [...batchesOf([...letters(one), ...letters(one, "s3"), ...letters(other), ...letters(big)])];
  expect(made.map(({ tag, only, count }) => `${tag} ${only} ${count}`)).toEqual([
    "t es 2",
    "t s3 2",
    "t es 2",
    "big es 2",
    "big es 2",
    "big es 1",
  ]);
});

it("of an earlier version, which lack what was added: under the same id", () => {
  const [letter] = letters(batch(['{"a":1}'], { tag: "t", firstOffset: 17 }));
  const { sent: _, ...old } = letter!;
  const [back] = [...batchesOf([old])];
  expect(back!.id(0)).toBe(old.id);
  expect(back!.additions).toEqual([]);
  const [made] = [...batchesOf([{ ...old, id: `${old.id}-chain-broken` }])];
  expect(made!.id(0)).toBe(`${old.id}-chain-broken`);
});
