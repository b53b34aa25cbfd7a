import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RecordFlag, SpanFlag } from "../../agent/api/batch.ts";
import { MAX_DEPTH } from "../../agent/json/lexer.ts";
import { Scanner, scanJson, scanRecord } from "../../agent/json/scanner.ts";
import { batchOf } from "../fakes/batch.ts";
import { compare, parseStrictly, toBatch } from "./scanner-model.ts";

const SEED = Number(process.env.SEED ?? 20_260_212);

/** What the scanner found in one record: `undefined` where it is no object, else the fields' texts. */
function found(record: string | Buffer, fields: readonly string[]): Record<string, string> | undefined {
  const scanner = new Scanner(fields);
  const batch = toBatch([Buffer.from(record)], "\n");
  const spans = scanner.spans(batch);
  if (spans.flags(0) & SpanFlag.notObject) return undefined;
  const entries = fields
    .map((field) => [field, scanner.column(field)] as const)
    .filter(([, column]) => spans.start(0, column) !== 0)
    .map(([field, column]) => [field, batch.buffer.toString("utf8", spans.start(0, column), spans.end(0, column))]);
  return Object.fromEntries(entries);
}

const why = (record: string | Buffer) => scanRecord(Buffer.from(record), 0, Buffer.byteLength(record));

test("agrees with JSON.parse on 50,000 generated and mutated records", () => {
  expect(compare(SEED, 50_000)).toBeUndefined();
});

const SUITE = join(import.meta.dirname, "../../../shared/corpora/json");
describe("JSONTestSuite", () => {
  if (!existsSync(SUITE)) {
    test("must be present where REQUIRE_SERVICES=1", () => {
      process.stderr.write(`NOT RUN: JSONTestSuite is not at ${SUITE}\n`);
      expect(process.env.REQUIRE_SERVICES, "JSONTestSuite is missing").not.toBe("1");
    });
    return;
  }
  test.each(readdirSync(SUITE).filter((name) => /^[yni]_.*\.json$/.test(name)))("%s", (name) => {
    const bytes = readFileSync(join(SUITE, name));
    const reason = scanJson(bytes, 0, bytes.length);
    // NaN and the infinities are Python's, and recognised on purpose.
    const python = ["n_number_NaN.json", "n_number_infinity.json", "n_number_minus_infinity.json"].includes(name);
    if (name.startsWith("y_") || python) expect(reason).toBeUndefined();
    if (name.startsWith("n_") && !python) expect(reason).toBeTypeOf("string");
    const parsed = parseStrictly(bytes);
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    expect(found(bytes, []) !== undefined).toBe(isObject);
  });
});

describe("fields", () => {
  test.each<[string, Record<string, string> | undefined]>([
    ['{"level":"info"}', { level: '"info"' }],
    ['{"level":1,"level":2}', { level: "2" }],
    ['{"level":1,"lev\\u0065l":2}', { level: "2" }],
    ['{"lev\\u0065l":1,"level":2}', { level: "2" }],
    ['{"details":{"level":1}}', {}],
    [' \n{ "level" \t:\r\n {"a":[1, 2]} } ', { level: '{"a":[1, 2]}' }],
    ['{"__proto__":{"level":1},"é":2}', { __proto__: '{"level":1}', é: "2" } as Record<string, string>],
    ['{"\\u005f_proto__":1}', Object.fromEntries([["__proto__", "1"]])],
    ["{}", {}],
    ["[]", undefined],
    ["", undefined],
    ['{"level":1}x', undefined],
    ['{"level":1}{}', undefined],
    ['{"level":1,}', undefined],
    ['\ufeff{"level":1}', undefined],
    ['{"level":"\u0000"}', undefined],
    ['{"level":1\u0000}', undefined],
    ["{'level':1}", undefined],
  ])("%j", (record, expected) => {
    const fields = ["level", "__proto__", "é"];
    const got = found(record, fields);
    expect(got && Object.entries(got).sort()).toEqual(
      expected &&
        (record.includes('"__proto__":{')
          ? [
              ["__proto__", '{"level":1}'],
              ["é", "2"],
            ]
          : Object.entries(expected).sort()),
    );
  });

  test("a record never borrows from the one after it", () => {
    const scanner = new Scanner(["a", "b"]);
    const spans = scanner.spans(
      toBatch(
        ['{"a":1', '{"a":"1', '"}', '{"a":1}', "}", '{"a":tru', "e}", '{"a":1,"b', '":2}'].map((r) => Buffer.from(r)),
        "",
      ),
    );
    expect([...spans.rowFlags]).toEqual([1, 1, 1, 0, 1, 1, 1, 1, 1]);
  });

  test("plain and cut lines have no fields, whatever they look like", () => {
    const batch = batchOf(['{"a":1}', '{"a":1}', '{"a":1}'], {
      flags: new Uint8Array([RecordFlag.plain, RecordFlag.cut, 0]),
    });
    expect([...new Scanner(["a"]).spans(batch).rowFlags]).toEqual([1, 1, 0]);
  });

  test("one record of invalid UTF-8 does not spoil the others", () => {
    const bad = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const spans = new Scanner(["a"]).spans(toBatch([Buffer.from('{"a":"é"}'), bad, Buffer.from('{"a":"😀"}')], "\n"));
    expect([...spans.rowFlags]).toEqual([0, 1, 0]);
  });

  test("another reader scans anew; the same one does not, also after a selection", () => {
    const batch = batchOf(['{"a":1,"b":2}', '{"b":3}']);
    const one = new Scanner(["a", "b"]);
    const other = new Scanner(["b"]);
    const spans = one.spans(batch);
    expect(one.spans(batch)).toBe(spans);
    const selected = batch.select(Uint32Array.of(1), 1);
    expect(one.spans(selected)).toBe(selected.scanned);
    expect(other.spans(selected).width).toBe(1);
    expect([one.column("b"), other.column("b"), one.column("x")]).toEqual([1, 0, -1]);
  });

  test("selections and slices of one another keep each record's own spans", () => {
    const scanner = new Scanner(["a"]);
    const batch = batchOf(Array.from({ length: 20 }, (_, i) => (i % 7 === 0 ? "no JSON" : `{"b":${i},"a":${i}}`)));
    scanner.spans(batch);
    const odd = batch.select(
      Uint32Array.from({ length: 10 }, (_, i) => 2 * i + 1),
      10,
    );
    const derived = [odd, odd.slice(2, 9), batch.slice(5, 18), batch.slice(5, 18).select(Uint32Array.of(0, 2, 9), 3)];
    derived.push(odd.slice(2, 9).select(Uint32Array.of(1, 2, 5), 3), derived[3]!.slice(1, 3));
    for (const one of derived) {
      const spans = scanner.spans(one);
      expect(spans).toBe(one.scanned);
      for (let i = 0; i < one.count; i++) {
        const line = one.bytes(i).toString();
        const value = one.buffer.toString("utf8", spans.start(i, 0), spans.end(i, 0));
        expect([spans.flags(i) & SpanFlag.notObject, value]).toEqual(
          line === "no JSON" ? [SpanFlag.notObject, ""] : [0, /\d+/.exec(line)![0]],
        );
      }
    }
  });

  test("memory that was another batch's tells nothing of it", () => {
    const scanner = new Scanner(["a", "b", "c", "d"]);
    const full = scanner.spans(batchOf(Array.from({ length: 3000 }, () => '{"a":1,"b":2,"c":3,"d":4}')));
    const { buffer } = full.startCells;
    full.release();
    expect([full.startCells.length, buffer.byteLength]).toEqual([0, 0]);
    const spans = scanner.spans(batchOf(Array.from({ length: 3000 }, () => '{"c":3}')));
    for (const column of [0, 1, 3]) expect([spans.start(2999, column), spans.end(2999, column)]).toEqual([0, 0]);
    expect([spans.start(2999, 2), spans.end(2999, 2)]).toEqual([2999 * 8 + 5, 2999 * 8 + 6]);
  });

  test("more members than the scanner predicts, and longer keys", () => {
    const entry = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${"k".repeat(i)}${i}`, i]));
    const field = `${"k".repeat(190)}190`;
    for (let round = 0; round < 3; round++)
      expect(found(JSON.stringify(entry), [field, "k1"])).toEqual({ [field]: "190", k1: "1" });
  });
});

test("what the scanner has learnt is compared in every byte", () => {
  const fields = ["x", "k", "kk", "kkk", "k".repeat(12), "k".repeat(66)];
  for (const key of ["", ...fields.slice(1), "k".repeat(7), "é"]) {
    const learnt = Buffer.from(`{"${key}":1, "${key}":2,"x":3}`);
    for (let at = 0; at < learnt.length; at++) {
      for (const byte of [0x00, 0x09, 0x20, 0x22, 0x5c, 0x6b, 0x7d, 0x7f, 0x80, 0xff, learnt[at]! ^ 1]) {
        const changed = Buffer.from(learnt);
        changed[at] = byte;
        const scanner = new Scanner(fields);
        const batch = toBatch([learnt, learnt, changed, learnt], "\n");
        const spans = scanner.spans(batch);
        const fresh = found(changed, fields);
        expect([spans.flags(2) & SpanFlag.notObject, key, at, byte]).toEqual([fresh ? 0 : 1, key, at, byte]);
        for (const [field, text] of Object.entries(fresh ?? {})) {
          const column = scanner.column(field);
          expect(batch.buffer.toString("utf8", spans.start(2, column), spans.end(2, column))).toBe(text);
        }
        expect(spans.flags(3)).toBe(0);
      }
    }
  }
});

describe("hostile sizes", () => {
  test("strings of a megabyte", () => {
    const long = "x\\n".repeat(400_000);
    expect(found(`{"a":"${long}","b":1}`, ["b"])).toEqual({ b: "1" });
    expect(why(`{"a":"${long}`)).toBe("unterminated string at 5");
  });

  test("deep nesting: accepted to 10,000 levels, refused beyond the bound, never a crash", () => {
    const nested = (levels: number) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)},"b":1}`;
    expect(found(nested(10_000), ["b"])).toEqual({ b: "1" });
    expect(found(nested(MAX_DEPTH - 10), ["b"])).toEqual({ b: "1" });
    expect(found(nested(100_000), ["b"])).toBeUndefined();
    expect(why(nested(100_000))).toMatch(/^nested deeper than 65536 levels at \d+$/);
    expect(why('{"a":'.repeat(100_000))).toMatch(/^nested deeper/);
  });

  test("many records that never end take linear time", () => {
    const records = Array.from({ length: 20_000 }, () => Buffer.from('{"a":[1,"'));
    expect(new Scanner(["a"]).spans(toBatch(records, "")).rowFlags.every((flag) => flag === SpanFlag.notObject)).toBe(
      true,
    );
  });
});

describe("reasons", () => {
  test.each<[string | Buffer, string | undefined]>([
    ['{"a":1}', undefined],
    ["", "empty"],
    [" \n", "empty"],
    ["[1]", "not an object"],
    ["null", "not an object"],
    ["plain text", "unexpected byte 0x70 at 0"],
    ['{"a":}', "unexpected byte 0x7d at 5"],
    ['{"a":1', "unexpected end at 6"],
    ['{"a":1}x', "unexpected byte 0x78 at 7"],
    ['{"a":"b', "unterminated string at 5"],
    ['{"a":"\t"}', "control character 0x09 in a string at 6"],
    ['{"a":"\\x"}', "invalid escape at 6"],
    ['{"a":"\\u12"}', "invalid escape at 6"],
    ['{"a":1e}', "invalid number at 5"],
    ['{"a":-}', "invalid number at 5"],
    ['{"a":01}', "unexpected byte 0x31 at 6"],
    ['{"a":1.}', "invalid number at 5"],
    ['{"a":+1}', "unexpected byte 0x2b at 5"],
    ["\ufeff{}", "byte order mark at 0"],
    [Buffer.from([0x7b, 0x22, 0xc3, 0x28]), "invalid UTF-8 at 2"],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "invalid UTF-8 at 1"],
    [Buffer.from([0x22, 0xc0, 0x80, 0x22]), "invalid UTF-8 at 1"],
    [Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]), "invalid UTF-8 at 1"],
    [Buffer.from([0x22, 0xc3, 0xa9, 0xf0, 0x9f, 0x98]), "invalid UTF-8 at 3"],
  ])("%j: %s", (record, reason) => {
    expect(why(record)).toBe(reason);
  });

  test("positions are the record's, not the batch's", () => {
    expect(scanRecord(Buffer.from('xxxx{"a":}'), 4, 10)).toBe("unexpected byte 0x7d at 5");
  });
});

test("NaN and the infinities are values, and flagged", () => {
  const lines = [
    '{"a":NaN}',
    '{"a":-Infinity,"b":[Infinity]}',
    '{"a":"NaN"}',
    '{"NaN":1}',
    '{"a":nan}',
    '{"a":-NaN}',
    '{"a":+Infinity}',
    '{"a":Infinity1}',
  ];
  expect([...new Scanner(["a"]).spans(batchOf(lines)).rowFlags]).toEqual([2, 2, 0, 0, 1, 1, 1, 1]);
});
