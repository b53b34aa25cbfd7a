/** Powers of ten that are doubles without rounding. */
const TENS = Array.from({ length: 23 }, (_, i) => 10 ** i);

/**
 * Whether Python prints a number token just as it stands, told from its digits. False means that it may not.
 *
 * Integers are printed as they are, but for -0. Of decimals without an exponent, up to 15 digits survive being read as a double and
 * printed with as few digits as will do. With 16 the double is one exact division away (Clinger, How to Read Floating Point Numbers
 * Accurately, 1990), and so are those of its neighbours: where none of them is the same double, no other text is as short.
 */
export function isPrinted(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes[from] === 0x2d ? from + 1 : from;
  let dot = -1;
  let digits = 0;
  let value = 0;
  for (let p = first; p < to; p++) {
    const c = bytes[p]!;
    if (c >= 0x30 && c <= 0x39) {
      value = value * 10 + (c - 0x30);
      if (value > 0) digits++;
    } else if (c === 0x2e) {
      dot = p;
    } else {
      return false;
    }
  }
  if (dot < 0) return first === from || bytes[first] !== 0x30;
  const places = to - dot - 1;
  if (bytes[to - 1] === 0x30 && places > 1) return false;
  // Below 1e-4 there is an exponent.
  if (bytes[first] === 0x30 && places > 4 && bytes.readInt32LE(dot + 1) === 0x30303030) return false;
  if (digits <= 15) return true;
  if (digits > 16 || value > Number.MAX_SAFE_INTEGER || places > 22) return false;
  const scale = TENS[places]!;
  const double = value / scale;
  if ((value - 1) / scale === double || (value + 1) / scale === double) return false;
  const shorter = Math.floor(value / 10);
  const shorterScale = TENS[places - 1]!;
  return shorter / shorterScale !== double && (shorter + 1) / shorterScale !== double;
}
