/**
 * Entries that the real writers wrote, one after the other and again from the start: the JSON objects of all logs under a folder, `AUDIT_CORPORA`
 * or `../shared/corpora`. It is no part of the project; `npm run bench -- --corpus real` says so where it is not there.
 */
import { isUtf8 } from "node:buffer";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { Level, levelOf, levelOfNumber } from "../../agent/api/view-level.ts";
import { type Entry, type EntrySource, NoSource, pick } from "./entry.ts";

/** The generator's buffer holds longer ones, but no destination's limit may be met. */
const MAX_BYTES = 60_000;
const ROOT = resolve(process.env.AUDIT_CORPORA ?? join(import.meta.dirname, "../../../shared/corpora"));

export const real: EntrySource = {
  kind: "real",
  entries: 1_000_000,
  version: () => String(load().reduce((sum, { line }) => crc32(line, sum), 0)),
  from(next) {
    const entries = load();
    // A seed begins somewhere of its own; from there on the order is the writers'.
    const first = next() % entries.length;
    return (i) => pick(entries, first + i);
  },
};

function load(): Entry[] {
  if (!existsSync(ROOT)) throw new NoSource(`no real logs in ${ROOT}: set AUDIT_CORPORA to a folder with some`);
  const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter((name) => /\.(jsonl|log)$/.test(name));
  const entries = files.sort().flatMap((name) => linesOf(readFileSync(join(ROOT, name))).flatMap(entryOf));
  if (entries.length === 0)
    throw new NoSource(`no real logs in ${ROOT}: it has no .jsonl or .log files with JSON objects`);
  return entries;
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    lines.push(bytes.subarray(at, end < 0 ? bytes.length : end));
    at = lines.at(-1)!.length + at + 1;
  }
  return lines;
}

/** Nothing for what is no JSON object: the agent would wrap it, and then its content is another. */
function entryOf(line: Buffer): Entry[] {
  if (line[0] !== 0x7b || line.length > MAX_BYTES || !isUtf8(line)) return [];
  try {
    // What Python writes for numbers that are none.
    const text = line.toString().replace(/(?<=[:,[ ])(NaN|-?Infinity)(?=[,\]} ])/g, "null");
    return [{ line, kept: isKept(JSON.parse(text) as Record<string, unknown>) }];
  } catch {
    return [];
  }
}

/** As docs/ describe `level` and `exclude_events`. A level that is not written is never below info. */
function isKept(entry: Record<string, unknown>): boolean {
  const levels = [entry.level, entry.severity].map((value) => written(value)).filter((level) => level !== Level.none);
  if (levels[0] === Level.debug) return false;
  const { event, what, event_type: type, resource_type: resource, action } = entry;
  const names = [event, what, action ?? type, `${type}.${action}`, `${resource}.${action}`];
  return !names.includes("api.request");
}

function written(value: unknown): Level {
  if (typeof value !== "string" && typeof value !== "number") return Level.none;
  return /^\d/.test(String(value)) ? levelOfNumber(Number(value)) : levelOf(String(value));
}
