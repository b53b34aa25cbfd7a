import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkFramer, run, sha256, soup } from "./harness.ts";

const texts = (source: string, sizes?: number[], maxLineBytes = 1000) =>
  run({ parser: "json", multiline: "json", maxLineBytes }, Buffer.from(source, "latin1"), sizes).records.map((r) => [
    r.offset,
    r.text,
  ]);

describe("multi-line objects", () => {
  test.each<[string, string, [number, string][]]>([
    [
      "pretty-printed",
      '{\n  "a": 1\n}\n{\n  "a": 2\n}\n',
      [
        [0, '{\n  "a": 1\n}'],
        [13, '{\n  "a": 2\n}'],
      ],
    ],
    [
      "one per line",
      '{"a":1}\n{"a":2}\n',
      [
        [0, '{"a":1}'],
        [8, '{"a":2}'],
      ],
    ],
    [
      "several on a line",
      '{"a":1} {"a":2}{}\n',
      [
        [0, '{"a":1}'],
        [8, '{"a":2}'],
        [15, "{}"],
      ],
    ],
    [
      "nested, with braces and escapes in strings",
      '{"a": {"b": "}\\"}\\\\"}}\n{}',
      [
        [0, '{"a": {"b": "}\\"}\\\\"}}'],
        [23, "{}"],
      ],
    ],
    [
      "CRLF",
      '{\r\n"a":1\r\n}\r\n{}\r\n',
      [
        [0, '{\r\n"a":1\r\n}'],
        [13, "{}"],
      ],
    ],
    [
      "garbage between",
      "{}\nwhat {x}\r\n{} and\n",
      [
        [0, "{}"],
        [3, "what {x}"],
        [13, "{}"],
        [16, "and"],
      ],
    ],
    [
      "a broken object, then a whole one",
      '{\n  "a": 1,\n{\n  "a": 2\n}\n',
      [
        [0, '{\n  "a": 1,'],
        [12, '{\n  "a": 2\n}'],
      ],
    ],
    [
      "an unclosed string",
      '{\n  "a": "x\n{\n  "b": 1\n}\n',
      [
        [0, '{\n  "a": "x'],
        [12, '{\n  "b": 1\n}'],
      ],
    ],
    [
      "an unclosed string that ends its object all the same",
      '{\n  "a": "x\n}\n{}\n',
      [
        [0, '{\n  "a": "x\n}'],
        [14, "{}"],
      ],
    ],
    [
      "stray closing braces",
      "}\n{}\n}}\n",
      [
        [0, "}"],
        [2, "{}"],
        [5, "}}"],
      ],
    ],
    [
      "an array of objects, its brackets on lines of their own",
      "[\n{}\n]\n",
      [
        [0, "["],
        [2, "{}"],
        [5, "]"],
      ],
    ],
    [
      "unfinished at the end",
      '{}\n{\n  "a"\n',
      [
        [0, "{}"],
        [3, '{\n  "a"'],
      ],
    ],
    ["white space", " \n\r\n\t", []],
    ["a mark first", "\xef\xbb\xbf{\n}\n", [[3, "{\n}"]]],
    ["a mark alone", "\xef\xbb\xbf", []],
    ["half a mark", "\xef\xbb", [[0, "\xef\xbb"]]],
  ])("%s", (_, source, expected) => {
    expect(texts(source)).toEqual(expected);
    expect(texts(source, [1])).toEqual(expected);
    expect(texts(source, [2, 3])).toEqual(expected);
  });

  test("what Python's and JavaScript's printers write comes back whole", () => {
    const value = fc.dictionary(fc.string(), fc.jsonValue());
    void fc.assert(
      fc.property(
        fc.array(value, { maxLength: 6 }),
        fc.constantFrom(0, 1, 2, 4),
        fc.integer({ min: 1, max: 99 }),
        (values, indent, size) => {
          const source = values.map((v) => `${JSON.stringify(v, null, indent)}\n`).join("");
          const { records } = run({ parser: "json", multiline: "json", maxLineBytes: 1e6 }, Buffer.from(source), [
            size,
          ]);
          expect(records.map((r) => JSON.parse(Buffer.from(r.text, "latin1").toString()))).toEqual(
            values.map((v) => JSON.parse(JSON.stringify(v))),
          );
        },
      ),
    );
  });

  test("an object above the limit is cut and the next is whole", () => {
    const big = `{\n"a": "${"x".repeat(500)}"\n}`;
    for (const sizes of [[10_000], [1], [64]]) {
      const { records } = run(
        { parser: "json", multiline: "json", maxLineBytes: 100 },
        Buffer.from(`${big}\n{}\n`),
        sizes,
      );
      expect(records).toEqual([
        { offset: 0, text: big.slice(0, 100), flags: 2, cut: { length: big.length, sha256: sha256(big) } },
        { offset: big.length + 1, text: "{}", flags: 0 },
      ]);
    }
  });

  const pieces = [
    "{",
    "}",
    '"',
    "\\",
    "\n",
    "\r\n",
    "\n{",
    '{"a":1}',
    '{\n  "b": "}"\n}\n',
    " ",
    "x",
    "é",
    "y".repeat(40),
    Buffer.from("efbbbf", "hex"),
  ];
  test("any chunking, any restart", () => checkFramer({ parser: "json", multiline: "json" }, soup(...pieces), 2000));
  test("any chunking, any restart, a mark first", () => {
    const mark = Buffer.from("efbbbf", "hex");
    const sources = soup(...pieces, "{\n").map((rest) => Buffer.concat([mark, rest]));
    checkFramer({ parser: "json", multiline: "json" }, sources, 1000);
  });
});
