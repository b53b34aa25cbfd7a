import { RecordBatch, type RecordBatchInit } from "../../agent/api/batch.ts";

/** A batch of the given lines, as an input would make it. */
export function batchOf(
  lines: readonly string[],
  init: Partial<RecordBatchInit> & { readonly firstOffset?: number } = {},
): RecordBatch {
  const { firstOffset = 0, ...rest } = init;
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  // What is given back must not be a part of Node's pool.
  const buffer = rest.release ? Buffer.from(new Uint8Array(bytes).buffer) : bytes;
  const starts = new Uint32Array(lines.length);
  const ends = new Uint32Array(lines.length);
  const offsets = new Float64Array(lines.length);
  let at = 0;
  for (const [i, line] of lines.entries()) {
    starts[i] = at;
    ends[i] = at + Buffer.byteLength(line);
    offsets[i] = firstOffset + at;
    at = ends[i]! + 1;
  }
  return new RecordBatch({
    buffer,
    starts,
    ends,
    offsets,
    count: lines.length,
    tag: "audit.test",
    source: {
      id: "AAAAAAAAAAAAAAAAAAAAAA",
      input: "tail",
      group: "/logs/audit-*.jsonl",
      path: "/logs/audit-2026-02-12.jsonl",
    },
    readTime: 1_770_921_000_000,
    ...rest,
  });
}

/** The records' bytes as text. */
export function linesOf(batches: readonly RecordBatch[]): string[] {
  return batches.flatMap((batch) => Array.from({ length: batch.count }, (_, index) => batch.bytes(index).toString()));
}
