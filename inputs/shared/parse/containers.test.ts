import { describe, expect, test } from "vitest";
import { RecordFlag } from "../../../agent/api/batch.ts";
import type { FramerOptions } from "./framer.ts";
import { checkFramer, run, sha256, soup } from "./harness.ts";

const options = (parser: FramerOptions["parser"], maxLineBytes = 100): FramerOptions => ({ parser, maxLineBytes });

/** Lines, and what is found: `[line of origin, text]`. */
function check(
  parser: FramerOptions["parser"],
  lines: string[],
  expected: [number, string][],
  maxLineBytes = 100,
): void {
  const source = Buffer.from(lines.map((l) => `${l}\n`).join(""));
  const starts = lines.map((_, i) =>
    Buffer.byteLength(
      lines
        .slice(0, i)
        .map((l) => `${l}\n`)
        .join(""),
    ),
  );
  for (const sizes of [[source.length], [1], [17, 5]]) {
    const { records } = run(options(parser, maxLineBytes), source, sizes);
    expect(records.map((r) => [starts.indexOf(r.offset), Buffer.from(r.text, "latin1").toString()])).toEqual(expected);
  }
}

const at = "2026-02-12T18:30:00.123456789Z";

describe("cri", () => {
  test.each<[string, string[], [number, string][]]>([
    [
      "full lines",
      [`${at} stdout F {"a":1}`, `${at} stderr F oops é`],
      [
        [0, '{"a":1}'],
        [1, "oops é"],
      ],
    ],
    ["an offset in the time", ["2026-02-12T18:30:00.123456789+01:00 stdout F x"], [[0, "x"]]],
    [
      "parts",
      [`${at} stdout P {"a"`, `${at} stdout P :`, `${at} stdout F 1}`, `${at} stdout F b`],
      [
        [0, '{"a":1}'],
        [3, "b"],
      ],
    ],
    [
      "parts of both streams at once, in the order in which they began",
      [
        `${at} stdout P o1`,
        `${at} stderr P e1`,
        `${at} stdout F o2`,
        `${at} stdout F x`,
        `${at} stderr F e2`,
        `${at} stdout F y`,
      ],
      [
        [0, "o1o2"],
        [1, "e1e2"],
        [3, "x"],
        [5, "y"],
      ],
    ],
    ["an unfinished record at the end", [`${at} stdout P a`, `${at} stdout P b`], [[0, "ab"]]],
    ["a closing part without text", [`${at} stdout P a`, `${at} stdout F `, `${at} stdout F`], [[0, "a"]]],
    ["further tags", [`${at} stdout P:x a`, `${at} stdout F:y:z b`], [[0, "ab"]]],
    ["leading spaces are text", [`${at} stdout F   a`], [[0, "  a"]]],
    ["empty text is no record", [`${at} stdout F `, `${at} stdout F   `], []],
    [
      "other lines pass whole, in their place",
      [
        "plain",
        `${at} stdout X a`,
        `${at} stdlog F a`,
        `${at} stdout FF a`,
        `${at} stdout P a`,
        "{}",
        `${at} stdout F b`,
      ],
      [
        [0, "plain"],
        [1, `${at} stdout X a`],
        [2, `${at} stdlog F a`],
        [3, `${at} stdout FF a`],
        [4, "ab"],
        [5, "{}"],
      ],
    ],
  ])("%s", (_, lines, expected) => check("cri", lines, expected));

  test("a joined record above the limit is cut, with length and hash of the whole", () => {
    const parts = Array.from({ length: 50 }, (_, i) => `${at} stdout ${i === 49 ? "F" : "P"} ${"é".repeat(11)}\n`);
    for (const sizes of [[10_000], [1], [33]]) {
      const { records } = run(options("cri", 101), Buffer.from(parts.join("")), sizes);
      const whole = "é".repeat(550);
      expect(records).toEqual([
        {
          offset: 0,
          text: Buffer.from("é".repeat(50)).toString("latin1"),
          flags: RecordFlag.cut,
          cut: { length: 1100, sha256: sha256(whole) },
        },
      ]);
    }
  });

  test("a mark in the text is text", () => {
    const text = `\ufeff${"x".repeat(200)}`;
    const source = Buffer.from(`${at} stdout P ${text}\n${at} stdout F .\n`);
    const { records } = run(options("cri", 100), source);
    expect(records[0]).toMatchObject({ offset: 0, cut: { length: 204, sha256: sha256(`${text}.`) } });
  });

  test("a line above the limit is cut as it is", () => {
    const line = `${at} stdout F ${"x".repeat(10_000)}`;
    for (const sizes of [[100_000], [999]]) {
      const { records } = run(options("cri", 100), Buffer.from(`${line}\n`), sizes);
      expect(records).toEqual([
        {
          offset: 0,
          text: line.slice(0, 100),
          flags: RecordFlag.cut,
          cut: { length: line.length, sha256: sha256(line) },
        },
      ]);
    }
  });

  test("a part that never ends holds back at most the limit", () => {
    const lines = Array.from({ length: 30 }, (_, i) => `${at} stderr F ${String(i).padStart(10, "x")}`);
    const expected: [number, string][] = [
      [0, "stuck"],
      ...lines.map((l, i): [number, string] => [i + 1, l.slice(-10)]),
    ];
    check("cri", [`${at} stdout P stuck`, ...lines], expected, 100);
  });

  const pieces = [
    `${at} stdout F `,
    `${at} stdout P `,
    `${at} stderr F `,
    `${at} stderr P `,
    "\n",
    "\n",
    "\r\n",
    "text",
    "é€",
    "x".repeat(40),
    " ",
  ];
  test("any chunking, any restart", () => checkFramer({ parser: "cri" }, soup(...pieces), 1000));
  const lines = ["stdout F ", "stdout P ", "stderr F ", "stderr P "].flatMap((t) =>
    ["abc", "é€x", ""].map((text) => `${at} ${t}${text}\n`),
  );
  test("any chunking, any restart, whole lines", () => checkFramer({ parser: "cri" }, soup(...lines, "no\n"), 1000));
});

describe("docker", () => {
  const line = (log: string, stream?: string) => JSON.stringify({ log, stream, time: at });
  test.each<[string, string[], [number, string][]]>([
    [
      "lines",
      [line('{"a":"é\\n"}\n', "stdout"), line("oops\n", "stderr")],
      [
        [0, '{"a":"é\\n"}'],
        [1, "oops"],
      ],
    ],
    ["CRLF", [line("a\r\n", "stdout")], [[0, "a"]]],
    ["pieces", [line("a", "stdout"), line("b", "stdout"), line("c\n", "stdout")], [[0, "abc"]]],
    [
      "pieces of two streams",
      [line("a", "stdout"), line("b", "stderr"), line("c\n", "stderr"), line("d\n", "stdout")],
      [
        [0, "ad"],
        [1, "bc"],
      ],
    ],
    ["a surrogate pair in escapes", ['{"log":"\\ud83d\\ude00\\n","stream":"stdout"}'], [[0, "😀"]]],
    [
      "unfinished at the end",
      [line("a", "stdout"), line("b")],
      [
        [0, "a"],
        [1, "b"],
      ],
    ],
    [
      "unknown and missing streams share one place",
      [line("a", "x"), line("b\n", "y"), line("c\n")],
      [
        [0, "ab"],
        [2, "c"],
      ],
    ],
    ["blank", [line("\n", "stdout"), line(" \n", "stdout")], []],
    [
      "other lines pass whole",
      ["plain", '{"a":1}', '{"log":1}', '{"log":"a', "null", '["log"]'],
      [
        [0, "plain"],
        [1, '{"a":1}'],
        [2, '{"log":1}'],
        [3, '{"log":"a'],
        [4, "null"],
        [5, '["log"]'],
      ],
    ],
  ])("%s", (_, lines, expected) => check("docker", lines, expected));

  test("deep nesting does no harm", () => {
    const deep = `{"log":${"[".repeat(200_000)}`;
    const { records } = run(options("docker", 1 << 20), Buffer.from(`${deep}\n`));
    expect(records.map((r) => r.text.length)).toEqual([deep.length]);
  });

  const pieces = ["a", "é", "x".repeat(50), "b\n", "\u0001\n", "\n"].flatMap((log) => [
    line(log, "stdout"),
    line(log, "stderr"),
  ]);
  test("any chunking, any restart", () =>
    checkFramer({ parser: "docker" }, soup(...pieces.map((l) => `${l}\n`), "no\n", '{"log":"'), 1000));
});
