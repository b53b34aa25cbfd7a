/** Who a file is: a fingerprint of its beginning, and a proof of what stood before a saved offset. */
import { hash } from "node:crypto";
import { firstTime } from "./first-time.ts";

/** How many bytes before an offset its proof covers. */
export const PROOF_BYTES = 4096;
const HEAD_BYTES = 8192;
const NEWLINE = 0x0a;

/** Where bytes come from: a file, or what a compressed file holds. Short answers mean the end. */
export interface ByteSource {
  read(from: number, length: number): Promise<Buffer>;
}

export interface Fingerprint {
  /** SHA-256 of the first complete line without its newline, as hex. */
  readonly hash: string;
  /** The first entry's own time in milliseconds, where it says one. */
  readonly first: number | undefined;
}

/**
 * undefined while the file has no complete line. A first line longer than `maxLineBytes` counts by its first `maxLineBytes` bytes, so
 * that a file without any newline is a file too. `complete`: nothing more will come, so an unfinished line counts as it is.
 */
export async function fingerprint(
  source: ByteSource,
  maxLineBytes: number,
  complete = false,
): Promise<Fingerprint | undefined> {
  for (let length = HEAD_BYTES; ; length *= 8) {
    const wanted = Math.min(length, maxLineBytes + 1);
    const head = await source.read(0, wanted);
    const newline = head.indexOf(NEWLINE);
    const rest = complete && head.length > 0 && head.length < wanted ? head.length : -1;
    const end = newline >= 0 ? newline : head.length > maxLineBytes ? maxLineBytes : rest;
    if (end >= 0) {
      const line = head.subarray(0, end);
      return { hash: hash("sha256", line, "hex"), first: firstTime(line) };
    }
    if (head.length < wanted) return undefined;
  }
}

/** Proof of the bytes that end at `offset`, of which `buffer` (which starts at `at`) must hold the last 4 KiB; undefined if it does not. */
export function proofIn(buffer: Buffer, at: number, offset: number): string | undefined {
  const from = Math.max(0, offset - PROOF_BYTES);
  if (from < at || offset > at + buffer.length) return undefined;
  return proofOf(buffer.subarray(from - at, offset - at));
}

export function proofOf(bytes: Buffer): string {
  return bytes.length === 0 ? "" : hash("sha256", bytes, "base64url");
}

/** undefined where the source is shorter than `offset`. */
export async function proofAt(source: ByteSource, offset: number): Promise<string | undefined> {
  const from = Math.max(0, offset - PROOF_BYTES);
  const bytes = await source.read(from, offset - from);
  return bytes.length === offset - from ? proofOf(bytes) : undefined;
}

/** Id of a source, and with an offset of its records: the same after any crash, replay or reinstall on this node. */
export function sourceId(node: string, fingerprintHex: string, generation: number): string {
  return hash("sha256", `${node}\0${fingerprintHex}\0${generation}`, "base64url").slice(0, 22);
}
