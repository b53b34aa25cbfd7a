import { expect, test } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { seeded } from "../../test/fakes/random.ts";
import type { Spans } from "../api/batch.ts";
import { SpanMemo } from "./memo.ts";
import { Scanner } from "./scanner.ts";

const FIELDS = ["a", "b", "c"];

/** The fields' texts, as the bytes have them. */
function textOf(bytes: Buffer, spans: Spans, record: number): string {
  return JSON.stringify(
    FIELDS.map((_, column) => bytes.toString("latin1", spans.start(record, column), spans.end(record, column))),
  );
}

test("gives what computing would, of any values, with as few slots as there can be", () => {
  const random = seeded(7);
  const below = (n: number) => Math.floor(random() * n);
  const values = ["1", "2", '""', '"x"', '"y"', "null", "-0", '"abcd"', '"abce"', '"bbcd"', '"abcdefgh"', '"abcxefgh"'];
  values.push(`"${"x".repeat(155)}"`, `"${"x".repeat(154)}y"`, `"${"x".repeat(170)}"`, `"${"x".repeat(169)}y"`);
  const lines = Array.from({ length: 20_000 }, () => {
    const members = FIELDS.filter(() => below(3) > 0).map((field) => `"${field}":${values[below(values.length)]}`);
    return `{${members.join(below(2) ? "," : " , ")}}`;
  });
  const batch = batchOf(lines);
  const scanner = new Scanner(FIELDS);
  const spans = scanner.spans(batch);
  for (const slots of [2, 8, 1024]) {
    const memo = new SpanMemo([0, 1, 2], slots, textOf);
    for (let i = 0; i < batch.count; i++) {
      expect(memo.get(batch.buffer, spans, i)).toBe(textOf(batch.buffer, spans, i));
    }
  }
});

test("two keys of one slot stay, and are computed once each", () => {
  const batch = batchOf(Array.from({ length: 100 }, (_, i) => `{"a":"${i % 2 ? "session.start" : "session.stop"}"}`));
  const spans = new Scanner(FIELDS).spans(batch);
  let computed = 0;
  const memo = new SpanMemo([0], 2, () => ++computed);
  for (let i = 0; i < batch.count; i++) memo.get(batch.buffer, spans, i);
  expect(computed).toBe(2);
});

test("names that begin and end alike do not crowd one slot", () => {
  const verbs = ["create", "rotate", "update", "delete", "invite", "revoke", "locate", "donate", "remove", "retire"];
  const batch = batchOf(Array.from({ length: 200 }, (_, i) => `{"a":"auth.token.${verbs[i % 10]}.done"}`));
  const spans = new Scanner(FIELDS).spans(batch);
  let computed = 0;
  const memo = new SpanMemo([0], 1024, () => ++computed);
  for (let i = 0; i < batch.count; i++) memo.get(batch.buffer, spans, i);
  expect(computed).toBe(10);
});

test("what is computed may be undefined", () => {
  const batch = batchOf(['{"a":1}', '{"a":1}', "{}", "{}"]);
  const spans = new Scanner(FIELDS).spans(batch);
  let computed = 0;
  const memo = new SpanMemo([0], 2, () => void computed++);
  for (let i = 0; i < batch.count; i++) expect(memo.get(batch.buffer, spans, i)).toBeUndefined();
  expect(computed).toBe(2);
});
