import { expect, test } from "vitest";
import { KEPT_ROWS, TailRows, tailPath } from "./tail-rows.ts";

const entry = (n: number) => ({
  time: null,
  level: null,
  event: null,
  actor: null,
  tag: "t",
  input: "i",
  path: null,
  offset: n,
  original: `${n}`,
});

test("the newest come first, and only so many are kept", () => {
  const rows = new TailRows();
  for (let i = 0; i < 3; i++) rows.add(entry(i));
  expect(rows.rows).toEqual([]);
  expect(rows.take()).toBe(true);
  expect(rows.rows.map((row) => row.entry.offset)).toEqual([2, 1, 0]);
  for (let i = 3; i < 2 * KEPT_ROWS; i++) rows.add(entry(i));
  rows.skip(7);
  rows.take();
  expect(rows.rows).toHaveLength(KEPT_ROWS);
  expect(rows.rows[0]!.entry.offset).toBe(2 * KEPT_ROWS - 1);
  expect(new Set(rows.rows.map(({ key }) => key)).size).toBe(KEPT_ROWS);
  expect(rows.skipped).toBe(7);
  expect(rows.take()).toBe(false);
  rows.clear();
  expect(rows.rows).toEqual([]);
});

test("only what is filtered by is asked for", () => {
  expect(tailPath({ level: "", event: "", actor: "", text: "" })).toBe("events?entries=1");
  expect(tailPath({ level: "error", event: "", actor: "a&b", text: "x y" })).toBe(
    "events?entries=1&level=error&actor=a%26b&text=x+y",
  );
});
