/** Decimal numbers as bytes, without a string in between. */

/** Nine digits: what 32 bits hold, whatever they are. */
const BILLION = 1_000_000_000;

/** Writes a non-negative integer; returns where it ends. */
export function writeDigits(buffer: Buffer, at: number, value: number): number {
  if (value >= BILLION) {
    const billions = Math.floor(value / BILLION);
    return writePadded(buffer, writeDigits(buffer, at, billions), value - billions * BILLION, 9);
  }
  return writePadded(buffer, at, value, digitsOf(value));
}

/** How many digits an integer from 0 to 999,999,999 has. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; limit <= value; limit = (limit * 10) | 0) digits++;
  return digits;
}

/** Exactly so many digits, nine at most; returns where they end. */
export function writePadded(buffer: Buffer, at: number, value: number, digits: number): number {
  let rest = value | 0;
  for (let i = at + digits - 1; i >= at; i--) {
    const quotient = (rest / 10) | 0;
    buffer[i] = 0x30 + rest - quotient * 10;
    rest = quotient;
  }
  return at + digits;
}
