/** Says why bytes are not what they should be, for people: slower than the scanner, and only asked about records it refused. */
import { isUtf8 } from "node:buffer";
import { Fault, finish, lexed, MAX_DEPTH, skipSpace, skipValue, viewOf } from "./lexer.ts";

/**
 * Why a record is no JSON object: undefined where it is one, else a reason with the byte position in the record, for `parse_error`.
 * The text holds nothing of the record but single bytes in hexadecimal.
 */
export function scanRecord(bytes: Buffer, start: number, end: number): string | undefined {
  const why = scanJson(bytes, start, end);
  if (why !== undefined) return why;
  return bytes[skipSpace(bytes, start, end)] === 0x7b ? undefined : "not an object";
}

/** Why `start` to `end` is not one JSON value of any kind in valid UTF-8; undefined where it is. */
export function scanJson(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.subarray(start, end);
  if (!isUtf8(text)) return `invalid UTF-8 at ${invalidUtf8At(text)}`;
  const from = skipSpace(bytes, start, end);
  if (from === end) return "empty";
  if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) return "byte order mark at 0";
  const p = skipValue(bytes, viewOf(bytes), from, end);
  if (p >= 0 && finish(bytes, p, end)) return undefined;
  const at = lexed.at - start;
  switch (lexed.fault) {
    case Fault.byte:
      return `unexpected byte 0x${bytes[lexed.at]!.toString(16).padStart(2, "0")} at ${at}`;
    case Fault.end:
      return `unexpected end at ${at}`;
    case Fault.unterminated:
      return `unterminated string at ${at}`;
    case Fault.escape:
      return `invalid escape at ${at}`;
    case Fault.control:
      return `control character 0x${bytes[lexed.at]!.toString(16).padStart(2, "0")} in a string at ${at}`;
    case Fault.number:
      return `invalid number at ${at}`;
    default:
      return `nested deeper than ${MAX_DEPTH} levels at ${at}`;
  }
}

/** Where the first ill-formed sequence begins (Unicode, table 3-7). */
function invalidUtf8At(text: Uint8Array): number {
  let p = 0;
  while (p < text.length) {
    const c = text[p]!;
    const length = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (length === 0) return p;
    for (let i = 1; i < length; i++) {
      const next = text[p + i] ?? 0;
      const low = i > 1 ? 0x80 : c === 0xe0 ? 0xa0 : c === 0xf0 ? 0x90 : 0x80;
      const high = i > 1 ? 0xbf : c === 0xed ? 0x9f : c === 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return p;
    }
    p += length;
  }
  return p;
}
