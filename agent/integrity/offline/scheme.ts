/** Which scheme a chain has: that of its first entry with a hash. */
import { scanRecord } from "../../json/explain.ts";
import { findMember } from "../../json/value.ts";
import { ChainReader, Entry } from "../reader.ts";
import { detectScheme, type FieldNames, type Scheme, schemeOf } from "../scheme.ts";
import { stripped } from "../space.ts";
import { behind, LineEnds } from "./lines.ts";
import type { ChainFile } from "./opened.ts";
import { MAX_LINE } from "./scan.ts";

const PIECE = 1024 * 1024;
/** Of a stream that can be read only once no more is looked at before it is checked. */
const ONCE = 32 * 1024 * 1024;

/** Undefined where no entry has a hash. */
export async function schemeOfFiles(files: readonly ChainFile[], fields: FieldNames): Promise<Scheme | undefined> {
  for (const file of files) {
    const opened = await file.open("javascript");
    const line = await opened.firstLine(MAX_LINE);
    const scheme = line && schemeOfLine(line, fields);
    if (!file.once) await opened.close();
    if (scheme !== undefined) return scheme;
  }
  // Somebody may have taken away all hashes: entries that name their predecessor are a chain's all the same.
  const robbed = (["loki-agent", "app"] as const).map((name) => schemeOf(name, fields));
  let named: Scheme | undefined;
  const words = [fields.hash ?? "hash", ...robbed.map(({ previous }) => previous!)];
  for (const file of files) {
    const scheme = await eachCandidate(file, words, (line) => {
      named ??= robbed.find(({ previous }) => hasField(line, previous!));
      return schemeOfLine(line, fields);
    });
    if (scheme !== undefined) return scheme;
  }
  return named;
}

/** Whether an entry of the file has the field of the scheme's hash. */
export async function hasHash(file: ChainFile, scheme: Scheme): Promise<boolean> {
  return (await eachCandidate(file, [scheme.hash], (line) => hasHashField(line, scheme) || undefined)) ?? false;
}

/** Whether the line is an entry with a hash of the scheme, be it null. */
export function hasHashField(line: Buffer, scheme: Scheme): boolean {
  return hasField(line, scheme.hash);
}

function hasField(line: Buffer, field: string): boolean {
  const object = objectIn(line);
  return object !== undefined && findMember(line, object.start, object.end, field) !== undefined;
}

/** Of a line that ends with a line feed: to Python it may be several. */
function schemeOfLine(line: Buffer, fields: FieldNames): Scheme | undefined {
  const ends = new LineEnds(line, "python", 0);
  for (let p = 0; p < line.length; ) {
    const at = ends.after(p);
    const end = at < 0 ? line.length : at;
    const part = line.subarray(p, end);
    const object = objectIn(part);
    const scheme = object && detectScheme(part, object.start, object.end, fields);
    if (scheme !== undefined) return scheme;
    p = at < 0 ? line.length : behind(line, end);
  }
  // The agent's verifier takes what is no JSON to the others: a carriage return between members, bytes that are no UTF-8.
  const agent = schemeOf("loki-agent", fields);
  const reader = new ChainReader(agent);
  return reader.read(line, 0, line.length) === Entry.chained && reader.previous !== undefined ? agent : undefined;
}

function objectIn(line: Buffer): { start: number; end: number } | undefined {
  const { start, end } = stripped(line, 0, line.length);
  return scanRecord(line, start, end) === undefined ? { start, end } : undefined;
}

/** Shows `visit` the lines in whose text a key ends with one of `words`, until it answers. */
async function eachCandidate<T>(
  file: ChainFile,
  words: readonly string[],
  visit: (line: Buffer) => T | undefined,
): Promise<T | undefined> {
  const opened = await file.open("javascript");
  const needles = words.map((word) => Buffer.from(`${word}"`));
  const isCandidate = (bytes: Buffer) => needles.some((needle) => bytes.includes(needle));
  const buffer = Buffer.allocUnsafe(PIECE);
  try {
    for await (const { from, to } of opened.pieces(PIECE, MAX_LINE)) {
      if (file.once && to > ONCE) break;
      const bytes = opened.text.read(from, to, buffer);
      if (!file.once) opened.release(from);
      if (!isCandidate(bytes)) continue;
      const ends = new LineEnds(bytes, "javascript", 0);
      for (let p = 0; p < bytes.length; ) {
        const end = ends.after(p);
        const line = bytes.subarray(p, end < 0 ? bytes.length : end);
        const answer = isCandidate(line) ? visit(line) : undefined;
        if (answer !== undefined) return answer;
        if (end < 0) break;
        p = behind(bytes, end);
      }
    }
    return undefined;
  } finally {
    if (!file.once) await opened.close();
  }
}
