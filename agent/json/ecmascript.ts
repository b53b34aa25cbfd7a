/**
 * What JavaScript's `JSON.stringify` prints of named members of a parsed entry, in the order named; absent ones are left out.
 * Numbers, key order and lone surrogates are JavaScript's own affair, so JavaScript does it.
 */
export function ecmascriptText(entry: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  const chosen: Record<string, unknown> = {};
  for (const key of keys) chosen[key] = entry[key];
  return JSON.stringify(chosen);
}
