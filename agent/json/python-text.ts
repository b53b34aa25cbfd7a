/** What stands in a string, told from the bytes, as Python would print it. */
import { isLetterless, printedUnit } from "./escapes.ts";
import { firstOf, skipEscape } from "./lexer.ts";

const SLASH = 0x2f;

/** Goes over what stands in a string as Python prints it; answers the first byte that may not, which can be one of the last three. */
export function skipPrinted(view: DataView, from: number, end: number): number {
  const last = (end - 4) | 0;
  let p = from | 0;
  while (p <= last) {
    const word = view.getInt32(p, true);
    // The high bit of each byte that is a quote, a backslash, a control character or not ASCII; of DEL too. See `skipString`.
    const hits =
      (((((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101)) & ~word) |
        word |
        (word + 0x01010101)) &
      -0x7f7f7f80;
    if (hits !== 0) return (p + firstOf(hits)) | 0;
    p = (p + 4) | 0;
  }
  return p;
}

/** Bytes of the escape at `p`; negative where Python would write it otherwise, 0 where it is none. */
export function escapeAt(bytes: Buffer, p: number, end: number): number {
  const after = skipEscape(bytes, p, end);
  if (after < 0) return 0;
  if (after === p + 2) return bytes[p + 1] === SLASH ? -2 : 2;
  const unit = printedUnit(bytes, p, end);
  return isLetterless(unit) || unit > 0x7e ? 6 : -6;
}
