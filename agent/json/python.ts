/**
 * What Python's `json.dumps(json.loads(text), sort_keys=True)` prints, made from the raw tokens: parsed JavaScript values have forgotten
 * what 1.0, 10000000000000000000001 and a lone surrogate were.
 *
 * Separators are `", "` and `": "`; everything outside of 0x20-0x7e is escaped, in lower-case hex; keys are sorted by code point, at every
 * level; of duplicate keys the last value stays. Source: Python's library, `json`, and `float.__repr__`.
 */
import { skipScalar, skipSpace, skipString, viewOf } from "./lexer.ts";
import { decodeString } from "./value.ts";

type Node = string | Node[] | Map<string, Node>;

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** The canonical text, all ASCII, of a valid value; `without` names top-level keys that are left out. Linear but for sorting; never recurses. */
export function pythonText(bytes: Buffer, start: number, end: number, without: readonly string[] = []): string {
  const root = parse(bytes, start, end);
  if (root instanceof Map) for (const key of without) root.delete(key);
  return print(root);
}

function parse(bytes: Buffer, start: number, end: number): Node {
  const view = viewOf(bytes);
  const open: { node: Node[] | Map<string, Node>; key: string }[] = [];
  let p = skipSpace(bytes, start, end);
  for (;;) {
    const c = bytes[p];
    let value: Node;
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      const node: Node[] | Map<string, Node> = c === OPEN_BRACE ? new Map() : [];
      p = skipSpace(bytes, p + 1, end);
      if (bytes[p] !== 0x7d && bytes[p] !== 0x5d) {
        open.push({ node, key: "" });
        p = readKey();
        continue;
      }
      p++;
      value = node;
    } else {
      const from = p;
      p = c === QUOTE ? skipString(bytes, view, p, end) : skipScalar(bytes, view, p, end);
      if (p < 0) throw new Error("not valid JSON");
      value =
        c === QUOTE ? pythonString(decodeString(bytes, from, p)) : pythonScalar(bytes.toString("latin1", from, p));
    }
    for (;;) {
      const top = open.at(-1);
      if (top === undefined) return value;
      if (top.node instanceof Map) top.node.set(top.key, value);
      else top.node.push(value);
      p = skipSpace(bytes, p, end);
      const separator = bytes[p];
      p = skipSpace(bytes, p + 1, end);
      if (separator === 0x2c) break;
      value = top.node;
      open.pop();
    }
    p = readKey();
  }

  /** In an object the key and its colon; in an array nothing. */
  function readKey(): number {
    const top = open.at(-1)!;
    if (!(top.node instanceof Map)) return p;
    const after = skipString(bytes, view, p, end);
    if (after < 0) throw new Error("not valid JSON");
    top.key = decodeString(bytes, p, after);
    return skipSpace(bytes, skipSpace(bytes, after, end) + 1, end);
  }
}

function print(root: Node): string {
  const out: string[] = [];
  // What is still to be printed, the next thing last.
  const todo: (Node | { text: string })[] = [root];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next === "string") {
      out.push(next);
    } else if (Array.isArray(next)) {
      todo.push({ text: "]" });
      for (let i = next.length - 1; i >= 0; i--) {
        todo.push(next[i]!);
        if (i > 0) todo.push({ text: ", " });
      }
      out.push("[");
    } else if (next instanceof Map) {
      const members = [...next].sort(([a], [b]) => compareCodePoints(a, b));
      todo.push({ text: "}" });
      for (let i = members.length - 1; i >= 0; i--) {
        const [key, value] = members[i]!;
        todo.push(value, { text: `${i > 0 ? ", " : ""}${pythonString(key)}: ` });
      }
      out.push("{");
    } else {
      out.push(next.text);
    }
  }
  return out.join("");
}

/** As Python orders strings. UTF-16 units agree with it but for surrogates, which stand before U+E000-U+FFFF there. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  // In the middle of a pair: the whole characters decide.
  const back = i > 0 && isHigh(a.charCodeAt(i - 1)) && (isLow(a.charCodeAt(i)) || isLow(b.charCodeAt(i))) ? 1 : 0;
  return a.codePointAt(i - back)! - b.codePointAt(i - back)!;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
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
