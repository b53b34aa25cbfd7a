import fc from "fast-check";
import { expect, test } from "vitest";
import { writeDigits } from "./digits.ts";

test("digits are those of String()", () => {
  const buffer = Buffer.alloc(24);
  const check = (n: number) => {
    const end = writeDigits(buffer, 2, n);
    expect(buffer.toString("latin1", 2, end)).toBe(String(n));
  };
  for (let n = 1; n < 2 ** 53; n *= 10) for (const d of [-1, 0, 1]) check(n + d);
  for (const n of [0, 9, 10, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) check(n);
  fc.assert(fc.property(fc.maxSafeNat(), check));
});
