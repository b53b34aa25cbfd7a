import fc from "fast-check";
import { expect, test } from "vitest";
import type { Addition, RecordBatch } from "../../agent/api/batch.ts";
import { viewFields } from "../../agent/api/view.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf as anyBatchOf, type BatchSettings } from "../../test/contract/records.ts";
import { timeTemplate } from "../shared/strftime.ts";
import { ByteWriter } from "../shared/writer.ts";
import { BodyBuilder, STAMP, TIME_FROM } from "./body.ts";

/** Offsets from 0, so that the same lines have the same ids. */
const batchOf = (lines: readonly (string | Buffer)[], settings: BatchSettings = {}) =>
  anyBatchOf(lines, { offset: 0, ...settings });

const template = timeTemplate("logs-%Y.%m.%d");

function builder(format: "json" | "original" = "json"): BodyBuilder {
  return new BodyBuilder({
    format,
    target: (ms) => template.format(ms),
    fields: new Scanner([...new Set([...viewFields.time, STAMP, TIME_FROM, "metadata"])]),
    emit: () => {},
    alias: "test",
  });
}

const build = (...batches: RecordBatch[]) => buildAs("json", ...batches);

function buildAs(format: "json" | "original", ...batches: RecordBatch[]): string[] {
  const writer = new ByteWriter();
  const count = builder(format).write(batches, writer);
  const lines = writer.view().toString().split("\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(count * 2);
  return lines;
}

const READ = Date.UTC(2027, 4, 6);

test.each([
  ["kept as written", '"2026-02-01T23:59:59.123456+00:00"', "2026-02-01T23:59:59.123456+00:00", "logs-2026.02.01"],
  ["by the day of UTC", '"2026-02-01T00:30:00+01:00"', "2026-02-01T00:30:00+01:00", "logs-2026.01.31"],
  ["a space", '"2026-02-01 10:00:00Z"', "2026-02-01T10:00:00.000Z", "logs-2026.02.01"],
  [
    "more digits than date_nanos has",
    '"2026-02-01T10:00:00.1234567891Z"',
    "2026-02-01T10:00:00.123456789Z",
    "logs-2026.02.01",
  ],
  ["seconds", "1769940000.25", "2026-02-01T10:00:00.250Z", "logs-2026.02.01"],
  ["escaped", '"2026-02-01T10:00:00\\u005a"', "2026-02-01T10:00:00.000Z", "logs-2026.02.01"],
])("a time: %s", (_, time, stamp, index) => {
  const line = `{"timestamp":${time}}`;
  expect(build(batchOf([line]))).toEqual([
    `{"create":{"_index":"${index}","_id":"AAAAAAAAAAAAAAAAAAAAAA-0"}}`,
    `${line.slice(0, -1)},"@timestamp":"${stamp}"}`,
  ]);
});

test.each([
  "null",
  '"2026-02-30T00:00:00Z"',
  '"2026-02-01T10:00:00"',
  '"1969-12-31T23:59:59Z"',
  '"2300-01-01T00:00:00Z"',
  '"soon"',
  "5",
  "{}",
])("a time that is none: %s", (time) => {
  const line = `{"timestamp":${time}}`;
  expect(build(batchOf([line], { readTime: READ }))).toEqual([
    '{"create":{"_index":"logs-2027.05.06","_id":"AAAAAAAAAAAAAAAAAAAAAA-0"}}',
    `${line.slice(0, -1)},"@timestamp":"2027-05-06T00:00:00.000Z","time_from":"agent"}`,
  ]);
});

test("never a second @timestamp or time_from", () => {
  const own = '{"@timestamp":"2026-02-01T10:00:00Z","time_from":"me"}';
  const odd = '{"@timestamp":"garbage","time_from":1}';
  expect(build(batchOf([own, odd, '{"time_from":null}'], { readTime: READ })).filter((_, i) => i % 2 === 1)).toEqual([
    own,
    odd,
    '{"time_from":null,"@timestamp":"2027-05-06T00:00:00.000Z"}',
  ]);
  const additions: Addition[] = [
    { path: ["@timestamp"], json: Buffer.from('"2025-01-01T00:00:00Z"') },
    { path: ["time_from"], json: Buffer.from('"filter"') },
  ];
  for (const line of build(batchOf(["{}", own, "no json"], { additions })).filter((_, i) => i % 2 === 1)) {
    expect(line.split('"@timestamp":')).toHaveLength(2);
    expect(line.split('"time_from":')).toHaveLength(2);
  }
});

test("index, source and kind go into the action line, changing from record to record", () => {
  const a = batchOf(
    [
      '{"timestamp":"2026-02-01T10:00:00Z"}',
      '{"timestamp":"2026-02-02T10:00:00Z"}',
      '{"timestamp":"2026-02-01T11:00:00Z"}',
    ],
    {
      sourceId: "source-a",
    },
  );
  const b = batchOf(['{"timestamp":"2026-02-01T12:00:00Z"}'], { sourceId: "source-b", offset: 2 ** 40 + 7 });
  const created = batchOf(['{"timestamp":"2026-02-01T12:00:00Z"}'], { sourceId: "source-b" }) as RecordBatch & {
    kind: string;
  };
  created.kind = "broken";
  const ids = build(a, b, created)
    .filter((_, i) => i % 2 === 0)
    .map((line) => JSON.parse(line).create);
  expect(ids).toEqual([
    { _index: "logs-2026.02.01", _id: a.id(0) },
    { _index: "logs-2026.02.02", _id: a.id(1) },
    { _index: "logs-2026.02.01", _id: a.id(2) },
    { _index: "logs-2026.02.01", _id: b.id(0) },
    { _index: "logs-2026.02.01", _id: "source-b-0-broken" },
  ]);
});

test("`again` is what `write` wrote", () => {
  const lines = ['{"timestamp":"2026-02-01T10:00:00Z","a":1}', "no json", '{"a":NaN}', '{"metadata":{"x":1}}'];
  const additions: Addition[] = [{ path: ["metadata", "h"], json: Buffer.from('"v"') }];
  const batch = batchOf(lines, { additions });
  const written = build(batch);
  for (let i = 0; i < batch.count; i++) {
    const { target, document } = builder().again(batch, i);
    expect(document).toBe(written[i * 2 + 1]);
    expect(JSON.parse(written[i * 2]!).create._index).toBe(target);
  }
});

test("whatever the lines are, a body is pairs of JSON lines, without a duplicate key of ours", () => {
  const line = fc.oneof(
    fc.json(),
    fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", " ")),
    fc
      .dictionary(fc.constantFrom("timestamp", "@timestamp", "time_from", "metadata", "time", "a"), fc.jsonValue())
      .map((o) => JSON.stringify(o)),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const batch = batchOf(
        lines.map((text) => Buffer.from(text)),
        { additions: [{ path: ["metadata", "h"], json: Buffer.from("1") }] },
      );
      const built = build(batch);
      for (const [i, text] of built.entries()) {
        const parsed = JSON.parse(text) as Record<string, unknown>;
        if (i % 2 === 1) expect(Object.keys(parsed)).toContain(STAMP);
      }
    }),
    { numRuns: 300 },
  );
});

test("original: objects are what was written, the rest goes as JSON", () => {
  const additions: Addition[] = [{ path: ["metadata", "host"], json: Buffer.from('"h"') }];
  const line = '{ "timestamp":"2026-02-01T10:00:00Z", "n": 1.0, "metadata": {"a":1} }';
  const lines = [line, "no JSON", '{"n":NaN}'];
  const batch = batchOf(lines, { additions, readTime: READ });
  const documents = buildAs("original", batch).filter((_, i) => i % 2 === 1);
  expect(documents[0]).toBe(line);
  const asJson = build(batchOf(lines, { additions, readTime: READ })).filter((_, i) => i % 2 === 1);
  expect(documents.slice(1)).toEqual(asJson.slice(1));
  expect(documents[1]).toContain('"message":"no JSON"');
  expect(builder("original").again(batch, 0)).toEqual({ target: "logs-2026.02.01", document: line, added: [] });
});
