/** The canonical form against what Python itself prints: test/corpora/python-json.jsonl, made by test/oracle/python_json.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scanJson } from "../../agent/json/explain.ts";
import { pythonText } from "../../agent/json/python.ts";
import { LEAD, PythonWriter } from "../../agent/json/python-writer.ts";

interface Row {
  readonly in: string;
  /** Absent where Python refuses the text. */
  readonly out?: string;
  readonly without?: readonly string[];
  readonly refused?: true;
}

/** Every way of writing the canonical form there is; each has to give Python's answer to every row. */
const IMPLEMENTATIONS: readonly (readonly [name: string, print: typeof pythonText])[] = [
  ["pythonText", pythonText],
  ["PythonWriter", writeFast],
];

const writers = new Map<string, PythonWriter>();

/** The fast writer, and the plain one where it is for that one. */
function writeFast(bytes: Buffer, start: number, end: number, without: readonly string[] = []): string {
  const writer = writers.get(without.join()) ?? new PythonWriter(without);
  writers.set(without.join(), writer);
  const to = writer.write(bytes, start, end);
  return to < 0 ? pythonText(bytes, start, end, without) : writer.out.toString("latin1", LEAD, to);
}

const rows = readFileSync(join(import.meta.dirname, "../corpora/python-json.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Row);

/** What lies around a record in a batch: nothing of it may be read. */
const AROUND = [
  ["", ""],
  ['{"x":1}\n', '\n{"y":2}'],
  ["1", "1"],
  ['"', '"'],
  ["\\", "}"],
] as const;

function embed(text: string, [before, after]: readonly [string, string]) {
  const start = Buffer.byteLength(before);
  return { bytes: Buffer.from(before + text + after), start, end: start + Buffer.byteLength(text) };
}

test("the table is all there", () => {
  expect(rows.length).toBe(5544);
  expect(rows.filter(({ refused }) => refused).length).toBe(97);
});

describe.each(IMPLEMENTATIONS)("%s", (_, print) => {
  test.each(AROUND)("prints what Python prints, between %j and %j", (...around) => {
    const wrong: unknown[] = [];
    for (const { in: text, out, without = [] } of rows) {
      if (out === undefined) continue;
      const { bytes, start, end } = embed(text, around);
      let printed: string;
      try {
        printed = print(bytes, start, end, without);
      } catch (error) {
        printed = String(error);
      }
      if (printed !== out) wrong.push({ text, without, expected: out, printed });
    }
    expect(wrong).toEqual([]);
  });
});

test("what Python reads is read, and what it refuses is refused", () => {
  const wrong: unknown[] = [];
  for (const { in: text, refused } of rows) {
    const { bytes, start, end } = embed(text, AROUND[1]);
    const reason = scanJson(bytes, start, end);
    if ((reason !== undefined) !== (refused === true)) wrong.push({ text, refused, reason });
  }
  expect(wrong).toEqual([]);
});
