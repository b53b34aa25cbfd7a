/** What the file output wrote, counted as the sink counts. */
import { createReadStream } from "node:fs";
import type { Tally } from "../tally.ts";
import { countLines } from "./count.ts";
import type { Orders } from "./orders.ts";

const PIECE = 4 * 1024 * 1024;

/** Whole lines alone: the last one may still be written. */
export async function countFile(path: string, by: Orders["by"]): Promise<Tally> {
  const tally: Tally = { entries: 0, checksum: 0 };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: PIECE })) {
    const piece = Buffer.concat([rest, chunk as Buffer]);
    const end = piece.lastIndexOf(0x0a) + 1;
    countLines(piece.subarray(0, end), by, tally);
    rest = piece.subarray(end);
  }
  return tally;
}
