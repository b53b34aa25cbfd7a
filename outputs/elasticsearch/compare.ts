/**
 * Whether a document that stands under our id is the one we would have sent. Members that the agent itself adds may differ: the same entry
 * sent again by a reinstalled agent has another version or read time, and is the same entry all the same.
 */

export type Json = null | boolean | string | Numeral | Json[] | { [key: string]: Json };
/** A number as it was written: 1.0 is not 1, and 2^53 + 1 is not 2^53. */
class Numeral {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Key under which the encoder puts additions that found no place. */
const MOVED = "agent_metadata";

/**
 * `sent` and `stored` come from `parseExact`; `added` are the paths of the members that the agent put into the entry.
 */
export function isSameEntry(sent: Json, stored: Json, added: readonly (readonly string[])[]): boolean {
  if (!isObject(sent) || !isObject(stored)) return false;
  const ours = new Map<string, Set<string>>([[MOVED, new Set()]]);
  for (const [key, below] of added) {
    if (key === undefined) continue;
    const names = ours.get(key) ?? new Set();
    if (below !== undefined) names.add(below);
    ours.set(key, names);
  }
  for (const key of new Set([...Object.keys(sent), ...Object.keys(stored)])) {
    const names = ours.get(key);
    if (names === undefined ? !equal(sent[key], stored[key]) : !sameWithout(names, sent[key], stored[key]))
      return false;
  }
  return true;
}

/** Of a member that the agent merges into: equal but for what it merges. */
function sameWithout(below: ReadonlySet<string>, ours: Json | undefined, theirs: Json | undefined): boolean {
  if (!isObject(ours) || !isObject(theirs)) return true;
  for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    if (!below.has(key) && !equal(ours[key], theirs[key])) return false;
  }
  return true;
}

function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a instanceof Numeral || b instanceof Numeral)
    return a instanceof Numeral && b instanceof Numeral && a.text === b.text;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Numeral);
}

/** JSON with its numbers as written. Throws where it is none. */
export function parseExact(text: string): Json {
  // The third argument (the source text) is newer than TypeScript's types.
  const reviver = (_: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? new Numeral(context?.source ?? String(value)) : value;
  return JSON.parse(withoutBackslashes(text), reviver as (key: string, value: unknown) => unknown) as Json;
}

/**
 * V8 14.6 (Node 26) mistakes keys: once it has read `{"a":1,"\\":2}`, here or elsewhere, it takes the key of `{"a":1,"\t":2}` for a backslash,
 * too, and gives revivers the wrong source texts. No key may end in a backslash, so another character stands for each; one to one.
 */
function withoutBackslashes(text: string): string {
  return text.replace(/\ue05c|\\(?:u005c|ue05c|.)/gis, (part) => {
    if (part === "\\\\" || /^\\u005c$/i.test(part)) return "\ue05c1";
    return part === "\ue05c" || /^\\ue05c$/i.test(part) ? "\ue05c0" : part;
  });
}
