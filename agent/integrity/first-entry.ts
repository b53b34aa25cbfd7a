/** What the dashboard's verifier makes of the first entry of a file, which decides whether the chain begins there. */
import { isUtf8 } from "node:buffer";
import { scanJson, scanRecord } from "../json/explain.ts";
import { findMember } from "../json/value.ts";

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/**
 * Whether the chain begins with a file whose first line, stripped, is this; if not, it is from before there were hashes. A hash of null is
 * one that is wrong. To the question whether it has a hash a text or a list answers no like an object, but where it has the very word.
 * With anything else of which the reference dies the chain begins, and breaks there.
 */
export function beginsChain(bytes: Buffer, start: number, end: number, hash: string): boolean {
  if (scanRecord(bytes, start, end) === undefined) return findMember(bytes, start, end, hash) !== undefined;
  return killsReference(bytes, start, end) && !isPlainList(bytes, start, end, hash);
}

/** The reference dies of a line that is JSON and no object, and of one that is no UTF-8; of other lines that are no JSON it does not. */
export function killsReference(bytes: Buffer, start: number, end: number): boolean {
  const text = bytes.subarray(start, end);
  return !isUtf8(text) || (text[0] !== OPEN_BRACE && scanJson(bytes, start, end) === undefined);
}

function isPlainList(bytes: Buffer, start: number, end: number, hash: string): boolean {
  const text = bytes.subarray(start, end);
  return (text[0] === QUOTE || text[0] === OPEN_BRACKET) && isUtf8(text) && !text.includes(hash);
}
