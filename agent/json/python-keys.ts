/** Order of keys as Python sorts them, told from their printed text: ASCII, with escapes. */

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
  if (bytes[p + 1] !== 0x75) return SHORT[bytes[p + 1]!]!;
  const unit = unitAt(bytes, p + 2);
  if (unit < 0xd800 || unit > 0xdbff || p + 12 > end || bytes[p + 6] !== BACKSLASH || bytes[p + 7] !== 0x75)
    return unit;
  const low = unitAt(bytes, p + 8);
  return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : unit;
}

function unitAt(bytes: Uint8Array, p: number): number {
  let unit = 0;
  for (let i = p; i < p + 4; i++) {
    const c = bytes[i]!;
    // Lower-case digits, as Python prints them.
    unit = unit * 16 + (c <= 0x39 ? c - 0x30 : c - 0x57);
  }
  return unit;
}

function widthAt(bytes: Uint8Array, p: number, point: number): number {
  if (bytes[p] !== BACKSLASH) return 1;
  return bytes[p + 1] !== 0x75 ? 2 : point > 0xffff ? 12 : 6;
}
