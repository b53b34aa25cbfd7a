import { expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { Scanner } from "./scanner.ts";

it("further fields: those there were keep their columns, what was scanned and learnt before is looked at again", () => {
  const scanner = new Scanner(["a", "b"]);
  const batch = batchOf(['{"a": 1, "c": 2, "b": 3}', '{"a": 4, "c": 5, "b": 6}']);
  expect(textOf("b", 1)).toBe("6");
  const before = batch.scanned;
  scanner.grow(["b"]);
  expect(scanner.spans(batch)).toBe(before);
  scanner.grow(["c", "a"]);
  expect(["a", "b", "c"].map((field) => scanner.column(field))).toEqual([0, 1, 2]);
  // Its text between the values was learnt while nobody wanted c.
  expect(["a", "c", "b"].map((field) => textOf(field, 0))).toEqual(["1", "2", "3"]);
  expect(["a", "c", "b"].map((field) => textOf(field, 1))).toEqual(["4", "5", "6"]);
  // Spans made before are still what they were.
  expect(before!.width).toBe(2);

  function textOf(field: string, i: number): string {
    const spans = scanner.spans(batch);
    const column = scanner.column(field);
    return batch.buffer.toString("utf8", spans.start(i, column), spans.end(i, column));
  }
});
