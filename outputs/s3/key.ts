/**
 * Names of objects, in Fluent Bit's words and deterministic: the same records have the same key, whenever and however often they are sent.
 * https://docs.fluentbit.io/manual/pipeline/outputs/s3#s3-key-format-and-tag-delimiters
 */
import { extname } from "node:path/posix";
import { timeTemplate, timeTemplateProblem } from "../shared/strftime.ts";
import { zonedClock } from "../shared/zone.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: bytes of UTF-8. */
export const MAX_KEY_BYTES = 1_024;
const SUFFIX = { none: "", gzip: ".gz", zstd: ".zst" } as const;
/** `$TAG[2]` before `$TAG`. */
const WORDS = /\$TAG\[(\d{1,2})\]|\$(TAG|INDEX|NODE|FIRST|LAST|RANGE|UUID)(?![A-Z])/g;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface KeyParts {
  readonly tag: string;
  readonly node: string;
  /** Time of the first record, milliseconds since the epoch. */
  readonly ms: number;
  /** Record ids. */
  readonly first: string;
  readonly last: string;
  /** The plan's: begins with the number of the queue's block in which the object begins. */
  readonly plan: string;
}

export interface KeyTemplate {
  render(parts: KeyParts): string;
  /** Records of one object lie in the same such stretch of time; Infinity where the key has no time. */
  readonly period: number;
  /** The zone's clock. */
  readonly clock: (ms: number) => number;
}

export interface KeyOptions {
  readonly format: string;
  readonly compression: keyof typeof SUFFIX;
  readonly zone: string;
  /** Characters that part a tag for `$TAG[n]`. */
  readonly delimiters: string;
}

/** What is wrong with a format, and what is odd about it; for a plugin's `check`. `ageMs`: how long an object may be open. */
export function keyProblems(format: string, ageMs: number): { error?: string; warnings: string[] } {
  const error = keyError(format);
  if (error !== undefined) return { error, warnings: [] };
  const warnings: string[] = [];
  if (!hasRange(format)) {
    warnings.push("has no record range ($RANGE): `-<node>-<first>-<last>` is put before its extension");
  }
  const folder = folderPeriod(format);
  if (folder < HOUR) {
    warnings.push(
      "has folders finer than an hour: an object lies in that of its first entry, and holds entries of up to an hour after it",
    );
  }
  const stretch = stretchOf(format);
  if (stretch < ageMs) {
    warnings.push(
      `begins a new object with every ${stretch === HOUR ? "hour" : "day"} of the entries' own time, before \`upload_timeout\` is over: ` +
        "fewer and larger objects need coarser folders",
    );
  }
  return { warnings };
}

function keyError(format: string): string | undefined {
  const time = timeTemplateProblem(format);
  if (time !== undefined) return time;
  if (format.includes("$UUID"))
    return "$UUID would make another object of every repeat; use $RANGE, which is as unique";
  const unknown = /\$[A-Z]+/.exec(format.replace(WORDS, ""));
  if (unknown) return `${unknown[0]} is unknown here; known are $TAG $TAG[n] $INDEX $NODE $FIRST $LAST $RANGE`;
  if (/^\/*$/.test(format)) return "must name an object";
  if (Buffer.byteLength(format) > 512) return "is longer than 512 bytes";
  return undefined;
}

export function keyTemplate({ format, compression, zone, delimiters }: KeyOptions): KeyTemplate {
  const ranged = hasRange(format) ? format : withRange(format);
  const suffix = ranged.endsWith(SUFFIX[compression]) ? "" : SUFFIX[compression];
  const name = `${ranged}${suffix}`;
  const clock = zonedClock(zone);
  const times = timeTemplate(name, clock);
  return {
    period: stretchOf(name),
    clock,
    render({ tag, node, ms, first, last, plan }) {
      const words: Record<string, string> = {
        TAG: safe(tag),
        INDEX: /^\d*/.exec(plan)![0] || "0",
        NODE: safe(node),
        FIRST: first,
        LAST: last,
        RANGE: `${safe(node)}-${first}-${last}`,
      };
      const parts = tag.split(new RegExp(`[${delimiters.replace(/[\]\\^-]/g, "\\$&")}]`));
      const key = times
        .format(ms)
        .replace(WORDS, (_, part: string | undefined, word: string) =>
          part === undefined ? words[word]! : safe(parts[Number(part)] ?? ""),
        );
      return tidy(key);
    },
  };
}

/** The stretch of time whose entries may share an object: as its folders have it, but an hour at least and a day at most. */
export function stretchOf(format: string): number {
  const period = folderPeriod(format);
  if (timeTemplate(format).period === Infinity) return Infinity;
  return Math.min(Math.max(period, HOUR), DAY);
}

/** How long the folders of a key stay the same; Infinity where they have no time. */
function folderPeriod(format: string): number {
  return timeTemplate(format.slice(0, format.lastIndexOf("/") + 1)).period;
}

/** With `-<number>` before the extension: a key beside one that is taken. */
export function besides(key: string, number: number): string {
  if (number === 0) return key;
  const at = extensionAt(key);
  return `${key.slice(0, at)}-${number}${key.slice(at)}`;
}

/** No leading slash; no empty folder (a part that a tag does not have), none that means "here" or "above" to whoever makes a path of it. */
function tidy(key: string): string {
  return key
    .split("/")
    .filter((part) => part !== "")
    .map((part) => (/^\.{1,2}$/.test(part) ? part.replaceAll(".", "_") : part))
    .join("/");
}

function hasRange(format: string): boolean {
  return format.includes("$RANGE") || (format.includes("$FIRST") && format.includes("$LAST"));
}

function withRange(format: string): string {
  const at = extensionAt(format);
  return `${format.slice(0, at)}-$RANGE${format.slice(at)}`;
}

/** `.jsonl.gz` counts as one. */
function extensionAt(key: string): number {
  const from = key.lastIndexOf("/") + 1;
  let at = key.length;
  for (let i = 0; i < 2; i++) {
    const extension = extname(key.slice(from, at));
    if (!/^\.[A-Za-z][A-Za-z0-9]{0,9}$/.test(extension)) break;
    at -= extension.length;
  }
  return at;
}

/** Nothing that makes folders, or that a shell, a URL or a tool could take for something else. */
function safe(text: string): string {
  return text.slice(0, 128).replace(/[^\w.!*'()-]/g, "_");
}
