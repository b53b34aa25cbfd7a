/** Passing over what `read_from: end` and `ignore_older` do not want, at the very first start. */
import { proofAt } from "./identity.ts";
import type { LogFile } from "./log-file.ts";
import type { Memory } from "./position.ts";

const BACK_BYTES = 65_536;
const NEWLINE = 0x0a;

/** Nothing of it is read; what is appended later is. */
export async function skipAll(file: LogFile, memory: Memory): Promise<void> {
  memory.finished = true;
  if (file.compressed) memory.skipped = true;
  else await moveTo(file, memory, file.size);
}

/** To the start of the last line if that is unfinished: it will be whole when it is read. */
export async function skipToEnd(file: LogFile, memory: Memory, maxLineBytes: number): Promise<void> {
  for (let end = file.size; end > 0 && file.size - end <= maxLineBytes; end -= BACK_BYTES) {
    const from = Math.max(0, end - BACK_BYTES);
    const bytes = await file.source.read(from, end - from);
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline >= 0) return moveTo(file, memory, from + newline + 1);
  }
  await moveTo(file, memory, file.size);
}

async function moveTo(file: LogFile, memory: Memory, offset: number): Promise<void> {
  const proof = await proofAt(file.source, offset);
  // Shortened at this moment: then it is read from its beginning.
  if (proof === undefined) return;
  memory.offset = offset;
  memory.proof = proof;
}
