import { expect, test } from "vitest";
import { changed, keysIn } from "./screen.ts";

test("keys, also several at once", () => {
  expect(keysIn("q")).toEqual(["q"]);
  expect(keysIn("\x1b[A\x1b[Bp\r")).toEqual(["up", "down", "p", "enter"]);
  expect(keysIn("\x1b")).toEqual(["escape"]);
  expect(keysIn("\x03jk")).toEqual(["q", "down", "up"]);
});

test("only lines that changed are drawn, and what is gone is wiped", () => {
  expect(changed(["a", "b"], ["a", "b"])).toBe("");
  expect(changed(["a", "b", "c"], ["a", "x"])).toBe("\x1b[2;1Hx\x1b[K\x1b[3;1H\x1b[K");
});
