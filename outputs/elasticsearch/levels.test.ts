import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_LEVELS, tooManyLevels } from "./levels.ts";

const judge = (text: string) => {
  const bytes = Buffer.from(`x${text}y`);
  return tooManyLevels(bytes, 1, bytes.length - 1) !== undefined;
};
const path = (levels: number, name = "b", dot = ".") => Array.from({ length: levels }, () => name).join(dot);

test.each<[string, string, boolean]>([
  ["as many as braces may have", `{"${path(MAX_LEVELS)}":1}`, false],
  ["one more", `{"${path(MAX_LEVELS + 1)}":1}`, true],
  ["dots as escapes", `{"${path(MAX_LEVELS + 1, "b", "\\u002e")}":1}`, true],
  ["dots as escapes in capitals", `{"${path(MAX_LEVELS + 1, "b", "\\u002E")}":1}`, true],
  ["shared by two", `{"${path(600)}":{"${path(600)}":1}}`, true],
  ["shared by two, through lists", `{"${path(600)}":[[1,"x",{"a":1},{"${path(600)}":1}]]}`, true],
  ["beside one another", `{"${path(600)}":{"a":1},"c":{"${path(600)}":1}}`, false],
  ["in two members of a list", `{"a":[{"${path(600)}":1},{"${path(600)}":1}]}`, false],
  ["behind what was deep", `{"a":{"${path(600)}":{"b":[]}},"${path(600)}":1}`, false],
  ["hidden behind the same name", `{"a":{"${path(2000)}":1},"a":1}`, true],
  ["in a value", `{"a":"${path(20_000)}","b":["${path(2_000)}"]}`, false],
  ["in a value with quotes", `{"a":"\\"${path(2_000)}\\":1","\\\\":"${path(2_000)}"}`, false],
  ["backslashes", `{"a":"${"\\\\".repeat(3_000)}"}`, false],
])("%s", (_, text, expected) => {
  JSON.parse(text);
  expect(judge(text)).toBe(expected);
});

/** The same by recursion, on values. */
function levels(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const below = Array.isArray(value)
    ? value.map(levels)
    : Object.entries(value).map(([name, member]) => name.split(".").length + levels(member));
  return Math.max(0, ...below);
}

test("it counts what a walk over the value counts", () => {
  const name = fc.oneof(
    fc.nat(600).map((n) => path(n + 1)),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: "large" }, fc.string(), tie("object"), fc.array(tie("tree"), { maxLength: 3 })),
    object: fc.dictionary(name, tie("tree"), { maxKeys: 3 }),
  }));
  fc.assert(
    fc.property(fc.dictionary(name, tree, { maxKeys: 3 }), (value) => {
      expect(judge(JSON.stringify(value))).toBe(levels(value) > MAX_LEVELS);
    }),
  );
});

test("a short entry is not looked at", () => {
  expect(judge(`{"${".".repeat(100)}":1}`)).toBe(false);
});
