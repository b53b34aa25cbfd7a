import { describe, expect, test } from "vitest";
import { decodeScalar, decodeString, eachMember, findMember, replaceNonFinite } from "./value.ts";

/** The helper is given the text in the middle of other bytes: it must not look beyond its span. */
const PAD = '{"pad":"';
const within = (text: string) => {
  const buffer = Buffer.from(`${PAD}${text}","a":9}`);
  return [buffer, PAD.length, PAD.length + Buffer.byteLength(text)] as const;
};

test.each([
  ['""', ""],
  ['"é 😀"', "é 😀"],
  ['"\\u00e9\\n\\"\\\\\\/"', 'é\n"\\/'],
  ['"\\ud83d\\ude00"', "😀"],
  ['"\\ud800"', "\ud800"],
  [`"${"x".repeat(100)}\\t"`, `${"x".repeat(100)}\t`],
])("decodes %s", (text, expected) => {
  expect(decodeString(...within(text))).toBe(expected);
});

test.each([
  ["1.50", "1.50"],
  ["true", "true"],
  ["-0", "-0"],
  ["null", undefined],
  ["{}", undefined],
  ["[1]", undefined],
  ['"x"', "x"],
])("text of the scalar %s", (text, expected) => {
  expect(decodeScalar(...within(text))).toBe(expected);
});

describe("members", () => {
  const find = (text: string, key: string) => {
    const [buffer, start, end] = within(text);
    const span = findMember(buffer, start, end, key);
    return span && buffer.toString("utf8", span.start, span.end);
  };
  test.each([
    ['{"a":1}', "a", "1"],
    ['{ "a" : {"b": [1, 2]} , "c":2 }', "a", '{"b": [1, 2]}'],
    ['{"b":{"a":1}}', "a", undefined],
    ['{"a":1,"a":2}', "a", "2"],
    ['{"a":1,"\\u0061":2}', "a", "2"],
    ['{"\\u0061":1,"a":2}', "a", "2"],
    ['{"":1}', "", "1"],
    ['{"é":1}', "é", "1"],
    ['{"__proto__":1}', "__proto__", "1"],
    ['{"a\\"":1}', 'a"', "1"],
    ["{}", "a", undefined],
    ["[1]", "a", undefined],
    ['"a"', "a", undefined],
    ['{"a":1', "a", "1"],
  ])("of %s, %j is %s", (text, key, expected) => {
    expect(find(text, key)).toBe(expected);
  });

  test("are visited in order, until the visitor has enough", () => {
    const [buffer, start, end] = within('{"a":1,"b":"x","c":null}');
    const keys: string[] = [];
    const visit = (from: number, to: number) => keys.push(buffer.toString("utf8", from, to)) < 2;
    expect(eachMember(buffer, start, end, visit)).toBe(true);
    expect(keys).toEqual(['"a"', '"b"']);
    expect(eachMember(buffer, start, start + 4, () => undefined)).toBe(false);
  });

  test("deep and large ones neither recurse nor take long", () => {
    const text = `{"x":${"[".repeat(50_000)}${"]".repeat(50_000)},"y":"${"\\n".repeat(500_000)}","a":1}`;
    const buffer = Buffer.from(text);
    expect(findMember(buffer, 0, buffer.length, "a")).toEqual({ start: buffer.length - 2, end: buffer.length - 1 });
  });
});

test.each([
  ['{"a":NaN}', '{"a":null}'],
  ["[NaN,Infinity,-Infinity]", "[null,null,null]"],
  ['{"NaN":"-Infinity","I\\"N":[ -Infinity ,-1]}', '{"NaN":"-Infinity","I\\"N":[ null ,-1]}'],
  ["-Infinity", "null"],
  ['{"a":1}', '{"a":1}'],
])("%s becomes %s", (text, expected) => {
  expect(replaceNonFinite(...within(text)).toString()).toBe(expected);
});
