/** White space as the reference verifiers strip it, on bytes. */

/** Where the text of `start` to `end` begins and ends once it is stripped as Python's `str.strip` does. */
export function stripped(bytes: Buffer, start: number, end: number): { start: number; end: number } {
  let from = start;
  let to = end;
  for (let width = spaceAt(bytes, from, to); width > 0; width = spaceAt(bytes, from, to)) from += width;
  for (let width = spaceBefore(bytes, from, to); width > 0; width = spaceBefore(bytes, from, to)) to -= width;
  return { start: from, end: to };
}

/** Whether nothing but white space stands there. */
export function isBlank(bytes: Buffer, start: number, end: number): boolean {
  if (end > start && bytes[start]! > 0x20 && bytes[start]! < 0x7f) return false;
  const rest = stripped(bytes, start, end);
  return rest.start === rest.end;
}

/** Bytes of the white space character that begins at `p`; 0 where there is none. */
function spaceAt(bytes: Buffer, p: number, end: number): number {
  if (p >= end) return 0;
  const c = bytes[p]!;
  if (c < 0x80) return c === 0x20 || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f) ? 1 : 0;
  for (const width of [2, 3]) if (p + width <= end && WIDE.has(bytes.toString("latin1", p, p + width))) return width;
  return 0;
}

function spaceBefore(bytes: Buffer, start: number, p: number): number {
  if (p <= start) return 0;
  if (bytes[p - 1]! < 0x80) return spaceAt(bytes, p - 1, p);
  for (const width of [2, 3]) if (p - width >= start && WIDE.has(bytes.toString("latin1", p - width, p))) return width;
  return 0;
}

/** `str.isspace` outside of ASCII, in UTF-8. */
const WIDE = new Set(
  [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]
    .concat(Array.from({ length: 11 }, (_, i) => 0x2000 + i))
    .map((point) => Buffer.from(String.fromCodePoint(point)).toString("latin1")),
);
