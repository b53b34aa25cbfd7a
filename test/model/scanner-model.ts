/** JSON.parse as the model of the scanner: generated entries, mutated, in batches that share one scanner (so that it has learnt much). */
import { isDeepStrictEqual } from "node:util";
import { RecordBatch, SpanFlag } from "../../agent/api/batch.ts";
import { Scanner, scanJson, scanRecord } from "../../agent/json/scanner.ts";
import { findMember, replaceNonFinite } from "../../agent/json/value.ts";
import { seeded } from "../fakes/random.ts";

const FIELDS = ["timestamp", "action", "level", "details", "success", "__proto__", "é", "", "a"];
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

type Random = () => number;

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

const KEYS = [
  '"timestamp"',
  '"action"',
  '"level"',
  '"lev\\u0065l"',
  '"\\u006cevel"',
  '"details"',
  '"success"',
  '"__proto__"',
  '"é"',
  '"\\u00e9"',
  '""',
  '"a"',
  '"a\\""',
  '"levels"',
  '"leve"',
  '"\\ud800"',
];
const SCALARS = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "-0.0",
  "1",
  "-12",
  "1.5e+3",
  "1E9",
  "1e999",
  "123456789012345678901234567890",
  "0.1",
  '""',
  '"info"',
  '"2026-02-01T09:00:17.123456+00:00"',
  '"a\\nb"',
  '"\\"\\\\"',
  '"\\u00e9 \\ud83d\\ude00 \\ud800"',
  '"é 😀 李"',
  '"\u007f\u0080\u2028"',
  '"{}[],:"',
];
const NON_FINITE = ["NaN", "Infinity", "-Infinity"];
const SPACES = ["", "", "", " ", "\n", "\t", "  \r\n "];
const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u",
  "\\ud800",
  "0",
  "01",
  "-",
  "+",
  ".",
  "1e",
  "e",
  "NaN",
  "Infinity",
  "nul",
  "null",
  "true",
  "\n",
  " ",
  "\u0000",
  "\ufeff",
  "é",
  "x",
  '"level":"x",',
  "/",
  "'",
];

function value(random: Random, depth: number, nonFinite: boolean): string {
  const kind = below(random, 10);
  if (nonFinite && kind === 9) return pick(random, NON_FINITE);
  if (depth > 4 || kind < 6) return kind === 0 ? `"${"x".repeat(below(random, 90))}"` : pick(random, SCALARS);
  const space = pick(random, SPACES);
  if (kind < 8) return object(random, depth + 1, nonFinite);
  const items = Array.from({ length: below(random, 4) }, () => value(random, depth + 1, nonFinite));
  return `[${space}${items.join(`${space},${pick(random, SPACES)}`)}${space}]`;
}

function object(random: Random, depth: number, nonFinite: boolean): string {
  const space = pick(random, SPACES);
  const member = () => `${pick(random, KEYS)}${space}:${pick(random, SPACES)}${value(random, depth, nonFinite)}`;
  const members = Array.from({ length: below(random, 6) }, member);
  return `{${space}${members.join(`${space},${pick(random, SPACES)}`)}${space}}`;
}

/** Entries of few shapes, as writers make them: these are what the scanner predicts. */
function usual(random: Random): string {
  const of = () => pick(random, SCALARS);
  const optional = random() < 0.3 ? '"a": 1, ' : "";
  return random() < 0.5
    ? `{"timestamp": ${of()}, "action": ${of()}, ${optional}"level": ${of()}, "details": {"level": ${of()}}}`
    : `{"timestamp":${of()},"level":${of()},"success":${of()}}`;
}

function mutate(random: Random, text: Buffer): Buffer {
  const at = below(random, text.length + 1);
  const to = Math.min(text.length, at + below(random, 8));
  const before = text.subarray(0, at);
  switch (below(random, 7)) {
    case 0:
      return Buffer.concat([before, text.subarray(to)]);
    case 1:
      return Buffer.concat([before, Buffer.from(pick(random, PIECES)), text.subarray(at)]);
    case 2:
      return Buffer.concat([before, Buffer.from(pick(random, PIECES)), text.subarray(to)]);
    case 3:
      return Buffer.concat([before, Buffer.from([below(random, 256)]), text.subarray(at + 1)]);
    case 4:
      return before;
    case 5:
      return Buffer.concat([before, text.subarray(at, to), text.subarray(at)]);
    default:
      return text.subarray(at);
  }
}

function record(random: Random): { bytes: Buffer; sure: boolean } {
  const nonFinite = random() < 0.2;
  let text = random() < 0.5 ? usual(random) : object(random, 0, nonFinite);
  if (random() < 0.03) text = value(random, 0, nonFinite);
  if (random() < 0.1) text = `${pick(random, SPACES)}${text}${pick(random, SPACES)}`;
  let bytes = Buffer.from(text);
  const mutations = random() < 0.4 ? 0 : 1 + below(random, 3);
  for (let i = 0; i < mutations; i++) bytes = Buffer.from(mutate(random, bytes));
  return { bytes, sure: mutations === 0 && /^\s*\{/.test(text) };
}

/** Records one after another; now and then nothing separates them, so that whoever reads on beyond an end is found out. */
export function toBatch(records: readonly Uint8Array[], separator: string): RecordBatch {
  const starts = new Uint32Array(records.length);
  const ends = new Uint32Array(records.length);
  const parts: Uint8Array[] = [];
  let at = 0;
  records.forEach((bytes, i) => {
    starts[i] = at;
    ends[i] = at + bytes.length;
    parts.push(bytes, Buffer.from(separator));
    at += bytes.length + separator.length;
  });
  const source = { id: "model", input: "model", group: "model" };
  return new RecordBatch({
    buffer: Buffer.concat(parts),
    starts,
    ends,
    offsets: Float64Array.from(starts),
    count: records.length,
    tag: "model",
    source,
    readTime: 0,
  });
}

/** The value, or undefined where it is no JSON in valid UTF-8 (no JSON value is undefined). */
export function parseStrictly(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

const isObject = (parsed: unknown): parsed is Record<string, unknown> =>
  typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);

/** What is wrong with the scanner's answer about record i; undefined where it agrees with the model. */
function difference(scanner: Scanner, batch: RecordBatch, i: number, sure: boolean): string | undefined {
  const spans = scanner.spans(batch);
  const flags = spans.flags(i);
  const start = batch.starts[i]!;
  const end = batch.ends[i]!;
  const accepted = (flags & SpanFlag.notObject) === 0;
  const nonFinite = (flags & SpanFlag.nonFinite) !== 0;
  const finite = accepted && nonFinite ? replaceNonFinite(batch.buffer, start, end) : batch.bytes(i);
  const parsed = parseStrictly(finite);
  if (sure && !accepted) return "refused what was generated as an object";
  if (accepted !== isObject(parsed)) return accepted ? "accepted what is no object" : "refused an object";
  if (accepted && nonFinite && parseStrictly(batch.bytes(i)) !== undefined)
    return "flagged as non-finite what is finite";
  const why = scanRecord(batch.buffer, start, end);
  if ((why === undefined) !== accepted) return `scanRecord says ${why}`;
  const json = scanJson(batch.buffer, start, end);
  if (parsed !== undefined && json !== undefined) return `scanJson says ${json}`;
  for (const field of FIELDS) {
    const at = i * spans.width + scanner.column(field);
    const from = spans.startCells[at]!;
    const to = spans.endCells[at]!;
    if (!accepted || !isObject(parsed) || !Object.hasOwn(parsed, field)) {
      if (from !== 0 || to !== 0) return `a span for the absent ${field}`;
      continue;
    }
    if (from < start || to > end) return `span of ${field} outside of the record`;
    const member = findMember(batch.buffer, batch.buffer.indexOf("{", start), end, field);
    if (member?.start !== from || member.end !== to) return `findMember disagrees about ${field}`;
    if (!isDeepStrictEqual(parseStrictly(replaceNonFinite(batch.buffer, from, to)), parsed[field]))
      return `value of ${field}`;
  }
  return undefined;
}

/** Runs so many records; answers the first disagreement, with what repeats it. */
export function compare(seed: number, count: number): string | undefined {
  const random = seeded(seed);
  const scanner = new Scanner(FIELDS);
  for (let done = 0; done < count; ) {
    const records = Array.from({ length: 1 + below(random, 12) }, () => record(random));
    const batch = toBatch(
      records.map(({ bytes }) => bytes),
      pick(random, ["\n", "\n", ""]),
    );
    for (const [i, { bytes, sure }] of records.entries()) {
      const wrong = difference(scanner, batch, i, sure);
      if (wrong !== undefined)
        return `${wrong}: ${JSON.stringify(bytes.toString("latin1"))} (SEED=${seed}, record ${done + i})`;
    }
    done += records.length;
  }
  return undefined;
}
