/**
 * What Python's `json.dumps(json.loads(text), sort_keys=True)` prints, made from the raw tokens: parsed JavaScript values have forgotten
 * what 1.0, 10000000000000000000001 and a lone surrogate were.
 *
 * Separators are `", "` and `": "`; everything outside of 0x20-0x7e is escaped, in lower-case hex; keys are sorted by code point, at every
 * level; of duplicate keys the last value stays. Source: Python's library, `json`, and `float.__repr__`.
 */
import { isHighSurrogate, isLowSurrogate } from "./escapes.ts";
import { type Dialect, printTree, readTree } from "./tree.ts";

const PYTHON: Dialect = {
  string: pythonString,
  scalar: pythonScalar,
  order: (members) => members.sort(([a], [b]) => compareCodePoints(a, b)),
  comma: ", ",
  colon: ": ",
};

/** The canonical text, all ASCII, of a valid value; `without` names top-level keys that are left out. Linear but for sorting; never recurses. */
export function pythonText(bytes: Buffer, start: number, end: number, without: readonly string[] = []): string {
  const root = readTree(bytes, start, end, PYTHON);
  if (root instanceof Map) for (const key of without) root.delete(key);
  return printTree(root, PYTHON);
}

/** As Python orders strings. UTF-16 units agree with it but for surrogates, which stand before U+E000-U+FFFF there. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  // In the middle of a pair: the whole characters decide.
  const back =
    i > 0 &&
    isHighSurrogate(a.charCodeAt(i - 1)) &&
    (isLowSurrogate(a.charCodeAt(i)) || isLowSurrogate(b.charCodeAt(i)))
      ? 1
      : 0;
  return a.codePointAt(i - back)! - b.codePointAt(i - back)!;
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
  "\b": "\\b",
};

/** With its quotes. */
export function pythonString(text: string): string {
  const escaped = text.replace(
    /[^ !#-[\]-~]/g,
    (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}

/** A number or literal token as Python prints what it read: `-0` is an integer, `1e400` is infinite. */
export function pythonScalar(token: string): string {
  if (token === "-0") return "0";
  return /^-?\d+$|^[^-\d]|^-I/.test(token) ? token : pythonFloatToken(token);
}

/** A number with a fraction or an exponent. */
export function pythonFloatToken(token: string): string {
  const value = Number(token);
  const size = Math.abs(value);
  // With a fraction, and in this range, both languages print alike.
  if (size >= 1e-4 && size < 1e16 && String(value) === token && token.includes(".")) return token;
  return pythonFloat(value);
}

/** `repr` of a float: the shortest digits that read back as the same double, with an exponent below 1e-4 and from 1e16 on. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const sign = value < 0 ? "-" : "";
  const size = Math.abs(value);
  // Both languages print the shortest digits that read back, and of those the nearest to the value; only the form differs.
  const digits = String(size);
  const exponent = digits.indexOf("e");
  if (exponent >= 0) return sign + digits.slice(0, exponent) + pythonExponent(Number(digits.slice(exponent + 1)));
  if (size >= 1e16) return sign + scientific(digits.replace(/0+$/, ""), digits.length - 1);
  if (size >= 1e-4) return digits.includes(".") ? sign + digits : `${sign}${digits}.0`;
  const first = digits.search(/[1-9]/);
  return sign + scientific(digits.slice(first), 1 - first);
}

function scientific(digits: string, exponent: number): string {
  return digits[0]! + (digits.length > 1 ? `.${digits.slice(1)}` : "") + pythonExponent(exponent);
}

function pythonExponent(exponent: number): string {
  return `e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
