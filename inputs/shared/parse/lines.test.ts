import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordFlag } from "../../../agent/api/batch.ts";
import { createFramer } from "./framer.ts";
import { checkFramer, found, run, sha256, soup } from "./harness.ts";

const json = { parser: "json", maxLineBytes: 1024 } as const;
const texts = (source: string | Buffer, options = json, sizes?: number[]) =>
  run(options, Buffer.from(source as string), sizes).records.map((r) => [r.offset, r.text]);

describe("lines", () => {
  test.each<[string, string, [number, string][]]>([
    ["nothing", "", []],
    [
      "two lines",
      '{"a":1}\n{"a":2}\n',
      [
        [0, '{"a":1}'],
        [8, '{"a":2}'],
      ],
    ],
    [
      "an unfinished last line",
      "a\nbc",
      [
        [0, "a"],
        [2, "bc"],
      ],
    ],
    [
      "CRLF: the CR is no part of the record, the offsets stay",
      "a\r\nbb\r\n",
      [
        [0, "a"],
        [3, "bb"],
      ],
    ],
    ["only one CR", "a\r\r\n", [[0, "a\r"]]],
    ["a CR within", "a\rb\n", [[0, "a\rb"]]],
    ["blank lines are no records", "\n \t\r\n\r\na\n   \n", [[7, "a"]]],
    ["leading and trailing spaces stay", "  a \n", [[0, "  a "]]],
    [
      "NUL bytes",
      "\0\0\0\na\n",
      [
        [0, "\0\0\0"],
        [4, "a"],
      ],
    ],
    [
      "other control characters are not blank",
      "\x0b\n\x0c\n",
      [
        [0, "\x0b"],
        [2, "\x0c"],
      ],
    ],
    ["two objects glued together", '{"a":1}{"a":2}\n', [[0, '{"a":1}{"a":2}']]],
  ])("%s", (_, source, expected) => {
    expect(texts(source)).toEqual(expected);
    expect(texts(source, json, [1])).toEqual(expected);
  });

  test("a byte order mark at the start of the source is skipped, and only there", () => {
    const bom = "\xef\xbb\xbf";
    const source = Buffer.from(`${bom}a\n${bom}b\n`, "latin1");
    const expected = [
      [3, "a"],
      [5, `${bom}b`],
    ];
    expect(texts(source)).toEqual(expected);
    expect(texts(source, json, [1])).toEqual(expected);
    expect(texts(Buffer.from(`${bom}\r\n`, "latin1"))).toEqual([]);
    expect(texts(Buffer.from(bom, "latin1"), json, [1])).toEqual([]);
  });

  test("parser none flags every record as plain", () => {
    const { records } = run({ parser: "none", maxLineBytes: 4 }, Buffer.from("ab\n\nabcdef\nxy"));
    expect(records.map((r) => [r.text, r.flags])).toEqual([
      ["ab", RecordFlag.plain],
      ["abcd", RecordFlag.plain | RecordFlag.cut],
      ["xy", RecordFlag.plain],
    ]);
  });

  test("records point into the chunk and the unfinished line is asked for again", () => {
    const framer = createFramer(json);
    const chunk = Buffer.from("aa\nbb\ncc");
    const framed = framer.push(chunk, 100);
    expect(framed.buffer).toBe(chunk);
    expect(framed).toMatchObject({ count: 2, next: 106, resume: 106, flags: undefined, cuts: undefined });
    const rest = framer.push(chunk.subarray(6), 106);
    expect(rest).toMatchObject({ count: 0, next: 108, resume: 106 });
    const joined = framer.push(Buffer.from("c\ndd\ne"), 108);
    expect(found(joined).map((r) => [r.offset, r.text])).toEqual([
      [106, "ccc"],
      [110, "dd"],
    ]);
    expect(joined).toMatchObject({ next: 113, resume: 113 });
  });

  test("a gap between chunks is a bug and says so", () => {
    const framer = createFramer(json);
    framer.push(Buffer.from("a\n"), 0);
    expect(() => framer.push(Buffer.from("b\n"), 7)).toThrow("stands at offset 2");
  });

  test("flush starts afresh, and what is appended later is read on", () => {
    const framer = createFramer(json);
    framer.push(Buffer.from("ab"), 0);
    expect(found(framer.flush())).toEqual([{ offset: 0, text: "ab", flags: 0 }]);
    expect(found(framer.flush())).toEqual([]);
    expect(found(framer.push(Buffer.from("c\n"), 2))).toEqual([{ offset: 2, text: "c", flags: 0 }]);
  });
});

describe("long lines", () => {
  const cases = (line: string | Buffer, max: number) =>
    [[1 << 20], [1], [3], [7, 2]].map((sizes) => {
      const source = Buffer.concat([Buffer.from("x\n"), Buffer.from(line as string), Buffer.from("\nnext\n")]);
      return run({ parser: "json", maxLineBytes: max }, source, sizes).records.slice(1);
    });

  test.each(["", "\r"])("exactly the limit passes whole, one byte more is cut (line end %j)", (cr) => {
    const next = (n: number) => ({ offset: 2 + n + cr.length + 1, text: "next", flags: 0 });
    for (const records of cases(`${"a".repeat(16)}${cr}`, 16)) {
      expect(records).toEqual([{ offset: 2, text: "a".repeat(16), flags: 0 }, next(16)]);
    }
    for (const length of [17, 18, 20, 21, 22, 23, 40]) {
      const line = "a".repeat(length);
      for (const records of cases(`${line}${cr}`, 16)) {
        const cut = { length, sha256: sha256(line) };
        expect(records).toEqual([{ offset: 2, text: "a".repeat(16), flags: RecordFlag.cut, cut }, next(length)]);
      }
    }
  });

  test("no UTF-8 character is split; what is no UTF-8 is cut at the limit", () => {
    for (const [line, kept] of [
      ["aé", "a"],
      ["a€x", "a"],
      ["aa😀", "aa"],
    ] as const) {
      for (const records of cases(line, 2)) expect(records[0]!.text).toBe(kept);
    }
    for (const max of [1, 2, 3, 4]) for (const records of cases("a😀", max)) expect(records[0]!.text).toBe("a");
    for (const records of cases(Buffer.alloc(9, 0x80), 6)) expect(records[0]!.text).toBe("\x80".repeat(6));
  });

  test("white space of any length is no record, unless something follows", () => {
    for (const records of cases(`${" ".repeat(99)}\r`, 16)) expect(records.map((r) => r.text)).toEqual(["next"]);
    for (const records of cases(`${" ".repeat(99)}x`, 16))
      expect(records.map((r) => r.cut?.length)).toEqual([100, undefined]);
    for (const records of cases(`x${" ".repeat(99)}`, 16))
      expect(records.map((r) => r.cut?.length)).toEqual([100, undefined]);
  });

  test("ten megabytes without a newline keep little and pass on", () => {
    const line = Buffer.alloc(10_000_000, "0123456789");
    const source = Buffer.concat([Buffer.from("first\n"), line, Buffer.from("\nlast\n")]);
    for (const sizes of [[source.length], [65_536], [1 << 20]]) {
      const { records, pushes } = run({ parser: "json", maxLineBytes: 1 << 20 }, source, sizes);
      expect(records.map((r) => [r.offset, r.text.length])).toEqual([
        [0, 5],
        [6, 1 << 20],
        [10_000_007, 4],
      ]);
      expect(records[1]!.cut).toEqual({ length: 10_000_000, sha256: sha256(line) });
      expect(pushes).toBeLessThan(source.length / sizes[0]! + 4);
    }
  });

  test("a long line within the limit but beyond a chunk passes whole", () => {
    const line = "ab".repeat(500_000);
    const { records } = run({ parser: "json", maxLineBytes: 1 << 20 }, Buffer.from(`${line}\nz\n`), [65_536]);
    expect(records.map((r) => r.text === line)).toEqual([true, false]);
    expect(records[0]!.cut).toBeUndefined();
  });
});

describe("any chunking, any restart", () => {
  const pieces = [
    "\n",
    "\r\n",
    "\r",
    " ",
    '{"a":1}',
    '{"k":"é€😀"}\n',
    "plain",
    "\xef\xbb\xbf",
    "\0",
    "x".repeat(30),
    Buffer.from("efbbbf", "hex"),
  ];
  test("json", () => checkFramer({ parser: "json" }, soup(...pieces)));
  test("none", () => checkFramer({ parser: "none" }, soup(...pieces)));
  test("a mark first", () => {
    const mark = Buffer.from("efbbbf", "hex");
    checkFramer(
      { parser: "json" },
      soup(...pieces).map((rest) => Buffer.concat([mark, rest])),
      200,
    );
  });

  test("agrees with a split at newlines", () => {
    void fc.assert(
      fc.property(soup(...pieces.slice(0, 9)), (source) => {
        const lines = source.toString("latin1").split("\n");
        const expected = lines.map((l) => l.replace(/\r$/, "")).filter((l) => !/^[ \t\r]*$/.test(l));
        const { records } = run({ parser: "json", maxLineBytes: 10_000 }, source, [9]);
        if (!source.subarray(0, 3).equals(Buffer.from("efbbbf", "hex"))) {
          expect(records.map((r) => r.text)).toEqual(expected);
        }
        expect(records.map((r) => source.toString("latin1", r.offset, r.offset + r.text.length))).toEqual(
          records.map((r) => r.text),
        );
      }),
    );
  });
});
