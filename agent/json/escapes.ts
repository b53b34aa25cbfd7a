/** Escapes as Python and JavaScript print them: with the letter where there is one, else with four digits in lower case. */

const BACKSLASH = 0x5c;

/** The unit of the escape `\uXXXX` at `p`, where its digits are in lower case; -1 for anything else. */
export function printedUnit(bytes: Uint8Array, p: number, end: number): number {
  if (p + 6 > end || bytes[p] !== BACKSLASH || bytes[p + 1] !== 0x75) return -1;
  let unit = 0;
  for (let i = p + 2; i < p + 6; i++) {
    const c = bytes[i]!;
    const digit = c >= 0x30 && c <= 0x39 ? c - 0x30 : c >= 0x61 && c <= 0x66 ? c - 0x57 : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/** Whether a control character is printed with digits: it has no letter. */
export function isLetterless(unit: number): boolean {
  return unit >= 0 && unit < 0x20 && (unit < 8 || unit > 13 || unit === 11);
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

export function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
