/**
 * One form for an entry as written and as received, so that the two can be compared by a hash, whatever destination it went to: without blanks
 * between tokens (syslog drops them), without what the jobs' filters and the outputs add, NaN and Infinity as the null that stands for
 * them in strict JSON. Everything else, each digit and escape, must be as it was written. Code of its own: none of the agent's is asked.
 */
import { crc32 } from "node:zlib";

/** What the jobs' metadata filter adds. */
export const ADDED = '"environment":"bench","deployment_id":"local"';

const STAMP = ',"@timestamp":"';
const FROM_AGENT = ',"time_from":"agent"}';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const NULL = Buffer.from("null");
const NOT_FINITE = ["NaN", "-Infinity", "Infinity"].map((text) => Buffer.from(text));

let scratch = Buffer.alloc(1024 * 1024);

/** CRC-32 of the form of a JSON object. */
export function contentHash(entry: Buffer): number {
  const text = withoutStamp(compact(entry).toString("latin1"))
    .replace(`,"metadata":{${ADDED}}`, "")
    .replace(`,${ADDED}`, "")
    // Both become an object with the added members, which is gone by now.
    .replace(',"metadata":null', "")
    .replace(',"metadata":{}', "");
  return crc32(Buffer.from(text, "latin1"));
}

/** `@timestamp` is the last member where the output added it; an entry may have one of its own there, and loses it on both sides. */
function withoutStamp(text: string): string {
  const body = text.endsWith(FROM_AGENT) ? text.slice(0, -FROM_AGENT.length) : text.slice(0, -1);
  const at = body.lastIndexOf(STAMP);
  const isLast = at >= 0 && body.indexOf('"', at + STAMP.length) === body.length - 1;
  return `${isLast ? body.slice(0, at) : body}}`;
}

/** Valid until the next call. Byte by byte: strings are short, and a native call for each costs more than they do. */
function compact(entry: Buffer): Buffer {
  if (scratch.length < 2 * entry.length) scratch = Buffer.alloc(4 * entry.length);
  const to = scratch;
  let length = 0;
  let inString = false;
  for (let at = 0; at < entry.length; at++) {
    const byte = entry[at]!;
    if (inString) {
      to[length++] = byte;
      if (byte === BACKSLASH) to[length++] = entry[++at]!;
      else if (byte === QUOTE) inString = false;
      continue;
    }
    // N of NaN, I of Infinity, and the minus before it.
    const found = byte === 0x4e || byte === 0x49 || byte === 0x2d ? notFinite(entry, at) : 0;
    if (found > 0) {
      length += NULL.copy(to, length);
      at += found - 1;
      continue;
    }
    inString = byte === QUOTE;
    if (byte > SPACE) to[length++] = byte;
  }
  return to.subarray(0, length);
}

/** Length of the word at `at`, 0 where there is none. */
function notFinite(entry: Buffer, at: number): number {
  return NOT_FINITE.find((word) => entry.subarray(at, at + word.length).equals(word))?.length ?? 0;
}
