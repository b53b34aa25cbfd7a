/** Order of keys as Python sorts them, told from their printed text: ASCII, with escapes. */
import { isHighSurrogate, isLowSurrogate, printedUnit } from "./escapes.ts";

const BACKSLASH = 0x5c;

/** Short escapes by their letter. */
const SHORT = new Uint8Array(128);
for (const [letter, unit] of ['""', "\\\\", "n\n", "r\r", "t\t", "f\f", "b\b"])
  SHORT[letter!.charCodeAt(0)] = unit!.charCodeAt(0);

/** Spans with their quotes. Negative where the first comes first, 0 where they are the same key. */
export function compareKeys(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLast = aEnd - 1;
  const bLast = bEnd - 1;
  let i = aStart + 1;
  let k = bStart + 1;
  for (;;) {
    if (i >= aLast || k >= bLast) return aLast - i - (bLast - k);
    const x = a[i]!;
    const y = b[k]!;
    if (x !== BACKSLASH && y !== BACKSLASH) {
      if (x !== y) return x - y;
      i++;
      k++;
      continue;
    }
    const left = pointAt(a, i, aLast);
    const right = pointAt(b, k, bLast);
    if (left !== right) return left - right;
    // The same character is printed the same way.
    const width = widthAt(a, i, left);
    i += width;
    k += width;
  }
}

/** Code point of the printed character at `p`. */
function pointAt(bytes: Uint8Array, p: number, end: number): number {
  const c = bytes[p]!;
  if (c !== BACKSLASH) return c;
  const unit = printedUnit(bytes, p, end);
  if (unit < 0) return SHORT[bytes[p + 1]!]!;
  const low = isHighSurrogate(unit) ? printedUnit(bytes, p + 6, end) : -1;
  return isLowSurrogate(low) ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : unit;
}

function widthAt(bytes: Uint8Array, p: number, point: number): number {
  if (bytes[p] !== BACKSLASH) return 1;
  return bytes[p + 1] !== 0x75 ? 2 : point > 0xffff ? 12 : 6;
}
