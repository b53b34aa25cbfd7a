import fc from "fast-check";
import { expect, test } from "vitest";
import { interpolate } from "./interpolate.ts";

const env: Record<string, string> = { A: "one", EMPTY: "", TRICK: "${A} $$ ${file:/x}" };
const sources = { variable: (name: string) => env[name], file: (path: string) => `<${path}>` };
const expanded = (text: string) => {
  const { value, problems } = interpolate(text, sources);
  return problems.length > 0 ? problems : value;
};

test.each([
  ["plain", "plain"],
  ["${A}", "one"],
  ["x${A}y${A}", "xoneyone"],
  ["${EMPTY}", ""],
  ["${NO:-d}", "d"],
  ["${EMPTY:-d}", "d"],
  ["${A:-d}", "one"],
  ["${NO:-}", ""],
  ["${NO:+x}", ""],
  ["${EMPTY:+x}", ""],
  ["${A:+x}", "x"],
  ["${A:?m}", "one"],
  ["${NO:-${A}}", "one"],
  ["${NO:-${NOR:-deep}}", "deep"],
  ["${A:-${NO}}", "one"],
  ["${NO:+${NOPE}}", ""],
  ["${file:/run/t}", "</run/t>"],
  ["${file:${NO:-/d}/t}", "</d/t>"],
  ["$${A}", "${A}"],
  ["$$", "$"],
  ["$$$${A}", "$${A}"],
  ["$", "$"],
  ["a$b ^x$ $1", "a$b ^x$ $1"],
  ["}{", "}{"],
  ["${TRICK}", "${A} $$ ${file:/x}"],
  ["${NO:-ü😀}", "ü😀"],
])("%s", (text, expected) => {
  expect(expanded(text)).toEqual(expected);
});

test("what came from outside is marked; a whole file is named", () => {
  expect(interpolate("x", sources).outside).toBe(false);
  expect(interpolate("$$x", sources).outside).toBe(false);
  expect(interpolate("${A}", sources).outside).toBe(true);
  expect(interpolate("${NO:-x}", sources).outside).toBe(true);
  expect(interpolate("${file:/t}", sources).file).toBe("/t");
  expect(interpolate(" ${file:/t}", sources).file).toBeUndefined();
  expect(interpolate("${file:/t}${file:/u}", sources).file).toBeUndefined();
  expect(interpolate("${NO:-${file:/t}}", sources).file).toBeUndefined();
});

test("every problem of a value, and no value in a problem", () => {
  expect(expanded("${NO}${NOR}")).toHaveLength(2);
  expect(expanded("${NO:?please ${A}}")).toEqual(["${NO}: please ${A}"]);
  expect(expanded("${NO:?}")).toEqual(["${NO} is not set"]);
  expect(expanded("${file:}")).toHaveLength(1);
  for (const text of ["${", "${A", "${A:", "${A:-", "${A:-${B}", "${A:=b}", "${1}", "${ A }", "${A!}", "${file:/x"]) {
    expect(expanded(text), text).toHaveLength(1);
  }
  expect(expanded("${A:-".repeat(1000))).toEqual(["references are nested more than 16 deep"]);
});

test("any text at all: ends, never throws, and leaves text without $ alone", () => {
  const piece = fc.constantFrom("$", "{", "}", "${", "$$", "A", "NO", ":-", ":+", ":?", "file:", "ü", " ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      const { value } = interpolate(text, sources);
      if (!text.includes("$")) expect(value).toBe(text);
      // Doubling every dollar sign writes any text literally.
      expect(interpolate(text.replaceAll("$", "$$$$"), sources).value).toBe(text);
    }),
  );
});
