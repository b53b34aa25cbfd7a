/**
 * What JavaScript's `JSON.stringify` prints of named members of a parsed entry, made from the raw tokens.
 *
 * JavaScript itself is not asked: once it has seen a key that is a backslash, V8's `JSON.parse` reads other escaped keys as that one
 * (https://github.com/nodejs/node/issues/63785, Node.js 24 and 26). Strings alone it reads well.
 */
import { type Dialect, type Node, printTree, readTree } from "./tree.ts";

const ECMASCRIPT: Dialect = {
  string: JSON.stringify,
  scalar: ecmascriptScalar,
  order: ecmascriptOrder,
  comma: ",",
  colon: ":",
};

/** Of a valid object; in the order named, absent ones left out. Throws where there is a NaN or Infinity, which JavaScript does not read. */
export function ecmascriptText(bytes: Buffer, start: number, end: number, keys: readonly string[]): string {
  const entry = readTree(bytes, start, end, ECMASCRIPT) as Map<string, Node>;
  const chosen = new Map<string, Node>();
  for (const key of keys) {
    const value = entry.get(key);
    if (value !== undefined) chosen.set(key, value);
  }
  return printTree(chosen, ECMASCRIPT);
}

/** A number or literal token as JavaScript prints what it read: `1e400` is infinite, which JSON has no word for. */
function ecmascriptScalar(token: string): string {
  if (token === "true" || token === "false" || token === "null") return token;
  if (/^-?[NI]/.test(token)) throw new Error("not JavaScript's JSON");
  const value = Number(token);
  return Number.isFinite(value) ? String(value) : "null";
}

/** Array indices first, in their order; the others as they came. */
function ecmascriptOrder(members: [string, Node][]): [string, Node][] {
  const indices = members.filter(([key]) => isIndex(key));
  if (indices.length === 0) return members;
  return [...indices.sort(([a], [b]) => Number(a) - Number(b)), ...members.filter(([key]) => !isIndex(key))];
}

function isIndex(key: string): boolean {
  return /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
}
