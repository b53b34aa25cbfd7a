/**
 * JSON as Python's `json.dumps(entry, separators=(",", ":"))` prints it, made from the entry's own bytes: no space between tokens, everything but
 * printable ASCII escaped, number tokens untouched. https://docs.python.org/3/library/json.html
 */
import { skipString, viewOf } from "../../agent/json/lexer.ts";
import type { ByteWriter } from "../shared/writer.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT: Readonly<Record<number, string>> = {
  8: "\\b",
  9: "\\t",
  10: "\\n",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** Writes the valid JSON value `buffer[start..end)`. */
export function writePythonJson(buffer: Buffer, start: number, end: number, writer: ByteWriter): void {
  const view = viewOf(buffer);
  for (let p = start; p < end; ) {
    const byte = buffer[p]!;
    if (byte === QUOTE) {
      const close = skipString(buffer, view, p, end);
      writeString(buffer, p, close, writer);
      p = close;
    } else {
      if (byte > 0x20) writer.byte(byte);
      p++;
    }
  }
}

function writeString(buffer: Buffer, start: number, end: number, writer: ByteWriter): void {
  let p = start;
  while (p < end && buffer[p]! >= 0x20 && buffer[p]! < 0x7f && buffer[p] !== BACKSLASH) p++;
  if (p === end) {
    writer.bytes(buffer, start, end);
    return;
  }
  const text = JSON.parse(buffer.toString("utf8", start, end)) as string;
  let escaped = '"';
  // By UTF-16 unit: a character beyond the first plane is a pair of escapes, as Python writes it.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const short = SHORT[unit];
    if (short !== undefined) escaped += short;
    else if (unit >= 0x20 && unit < 0x7f) escaped += text[i];
    else escaped += `\\u${unit.toString(16).padStart(4, "0")}`;
  }
  writer.ascii(`${escaped}"`);
}
