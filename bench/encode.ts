/** Records per second and core of the encoder: `node bench/encode.ts`. 468-byte entries, additions of a usual `metadata` filter. */
import { RecordBatch } from "../agent/api/batch.ts";
import { Scanner } from "../agent/json/scanner.ts";
import { Encoder } from "../outputs/shared/encode.ts";
import { ByteWriter } from "../outputs/shared/writer.ts";

const RECORDS = 4_000;
const ROUNDS = 500;
const source = { id: "s".repeat(22), input: "in", group: "g" };
const additions = [
  { path: ["metadata", "environment"] as const, json: Buffer.from('"production"') },
  { path: ["metadata", "hostname"] as const, json: Buffer.from('"host-1"') },
];

function batchOf(entry: (i: number) => string): RecordBatch {
  const lines = Array.from({ length: RECORDS }, (_, i) => Buffer.from(entry(i)));
  const buffer = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
  const starts = new Uint32Array(RECORDS);
  const ends = new Uint32Array(RECORDS);
  let at = 0;
  for (let i = 0; i < RECORDS; i++) {
    starts[i] = at;
    ends[i] = at + lines[i]!.length;
    at = ends[i]! + 1;
  }
  const offsets = Float64Array.from(starts);
  return new RecordBatch({ buffer, starts, ends, offsets, count: RECORDS, tag: "t", source, readTime: 0, additions });
}

function measure(name: string, format: "json" | "original", batch: RecordBatch): void {
  const fields = new Scanner(["level", "event", "metadata", "timestamp"]);
  const encoder = new Encoder({ fields, format, nonFinite: "null", emit: () => {}, alias: "bench" });
  const writer = new ByteWriter(4 * 1024 * 1024);
  fields.spans(batch);
  const round = () => {
    writer.reset();
    for (let i = 0; i < batch.count; i++) {
      encoder.encode(batch, i, writer);
      writer.byte(10);
    }
  };
  for (let i = 0; i < 50; i++) round();
  const before = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) round();
  const { user, system } = process.cpuUsage(before);
  const micros = user + system;
  const rate = (RECORDS * ROUNDS) / micros;
  console.log(`${name.padEnd(28)} ${rate.toFixed(2)} M records/s, ${(1e3 / rate).toFixed(0)} ns each`);
}

const plain = (i: number, more = "") =>
  `{"timestamp":"2026-02-01T10:15:30.${String(i).padStart(6, "0")}Z","level":"info","event":"session.start","n":${i},"details":"${"x".repeat(350)}"${more}}`;
measure(
  "json, metadata absent",
  "json",
  batchOf((i) => plain(i)),
);
measure(
  "json, metadata an object",
  "json",
  batchOf((i) => plain(i, ',"metadata":{"ip":"10.0.0.1","user":"u"}')),
);
measure(
  "json, metadata a string",
  "json",
  batchOf((i) => plain(i, ',"metadata":"text"')),
);
measure(
  "original",
  "original",
  batchOf((i) => plain(i)),
);
