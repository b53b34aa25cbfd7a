/** Records for tests: batches from lines of text, and hash chains as the dashboard's writer makes them. */
import { createHash } from "node:crypto";
import { type Addition, type Cut, RecordBatch } from "../../agent/api/batch.ts";

export interface BatchSettings {
  readonly additions?: readonly Addition[];
  readonly flags?: Uint8Array;
  readonly cuts?: ReadonlyMap<number, Cut>;
  readonly tag?: string;
  /** Offset of the first record in its source. By default batches continue one another, so that no two records have one id. */
  readonly offset?: number;
  readonly sourceId?: string;
  readonly readTime?: number;
}

let nextOffset = 0;

/** A batch of these lines, one after the other with newlines between, as an input makes it. */
export function batchOf(lines: readonly (string | Buffer)[], settings: BatchSettings = {}): RecordBatch {
  const parts = lines.map((line) => (typeof line === "string" ? Buffer.from(line) : line));
  const starts = new Uint32Array(parts.length);
  const ends = new Uint32Array(parts.length);
  let at = 0;
  for (const [i, part] of parts.entries()) {
    starts[i] = at;
    ends[i] = at + part.length;
    at += part.length + 1;
  }
  const offset = settings.offset ?? nextOffset;
  nextOffset = offset + at;
  return new RecordBatch({
    buffer: Buffer.concat(parts.flatMap((part) => [part, Buffer.from("\n")])),
    starts,
    ends,
    offsets: Float64Array.from(starts, (start) => start + offset),
    count: parts.length,
    tag: settings.tag ?? "audit.test",
    source: { id: settings.sourceId ?? "AAAAAAAAAAAAAAAAAAAAAA", input: "test", group: "/logs/audit-*.jsonl" },
    readTime: settings.readTime ?? Date.UTC(2026, 1, 1),
    flags: settings.flags,
    cuts: settings.cuts,
    additions: settings.additions,
  });
}

/** `count` entries, numbered from `from` in their member `n`. */
export function entries(count: number, from = 0, filler = ""): string[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const time = new Date(Date.UTC(2026, 1, 1, 10) + n).toISOString();
    return `{"timestamp":"${time}","level":"info","event":"session.start","n":${n},"ratio":1.0,"filler":"${filler}"}`;
  });
}

/** What Python's `json.dumps(value, sort_keys=True)` prints, for the plain values that tests use (ASCII keys, integers, strings). */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${pythonJson(key)}: ${pythonJson(member)}`).join(", ")}}`;
  }
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const GENESIS = "0".repeat(64);

function link(previous: string, entry: object): string {
  return createHash("sha256").update(previous).update(pythonJson(entry)).digest("hex");
}

/** Lines of a dashboard chain: `_integrity_hash` = SHA-256(previous hash + canonical form of the entry without it). */
export function chain(count: number, from = 0, previous = GENESIS): { lines: string[]; tip: string } {
  let tip = previous;
  const lines = Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const entry = {
      timestamp: new Date(Date.UTC(2026, 1, 1, 10) + n).toISOString().replace("Z", "+00:00"),
      action: "start",
      resource_type: "session",
      details: { n, text: `line ${n} "quoted" \\ \u00e9` },
      success: n % 3 !== 0,
      n,
    };
    tip = link(tip, entry);
    return JSON.stringify({ ...entry, _integrity_hash: tip });
  });
  return { lines, tip };
}

/** The chain's tip; throws at the first entry that does not follow from the one before. */
export function verifyChain(parsed: readonly Record<string, unknown>[]): string {
  let tip = GENESIS;
  for (const [i, { _integrity_hash: hash, ...entry }] of parsed.entries()) {
    tip = link(tip, entry);
    if (hash !== tip) throw new Error(`the chain breaks at entry ${i}`);
  }
  return tip;
}
