import { isUtf8 } from "node:buffer";
import { type RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import { scanRecord } from "../../agent/json/scanner.ts";
import type { ByteWriter } from "./writer.ts";

/** A record that is no JSON object, as one. */
export function wrap(batch: RecordBatch, index: number, writer: ByteWriter, unfit?: string): void {
  const flags = batch.flags === undefined ? 0 : batch.flags[index]!;
  const cut = (flags & RecordFlag.cut) !== 0;
  const bytes = cut ? wholeCharacters(batch.bytes(index)) : batch.bytes(index);
  const valid = isUtf8(bytes);
  writer.ascii('{"message":');
  writer.utf8(JSON.stringify(bytes.toString("utf8")));
  if (!valid) {
    writer.ascii(',"message_base64":"');
    writer.ascii(bytes.toString("base64"));
    writer.byte(0x22);
  }
  if (cut) {
    const known = batch.cuts?.get(index);
    writer.ascii(',"truncated":true');
    if (known) writer.ascii(`,"original_length":${known.length},"original_sha256":"${known.sha256}"`);
  } else if ((flags & RecordFlag.plain) === 0) {
    writer.ascii(',"parse_error":');
    writer.utf8(JSON.stringify(scanRecord(bytes, 0, bytes.length) ?? unfit ?? "not a JSON object"));
  }
  writer.byte(0x7d);
}

/** Without a character that the cut left unfinished. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needs > back ? bytes.subarray(0, -back) : bytes;
  }
  return bytes;
}
