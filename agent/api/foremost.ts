/** The first `limit` of what `compare` would sort, without sorting all: for a few out of a hundred thousand. */
export function foremost<T>(items: Iterable<T>, limit: number, compare: (a: T, b: T) => number): T[] {
  const found: T[] = [];
  for (const item of items) {
    if (found.length >= limit && (limit === 0 || compare(item, found.at(-1)!) >= 0)) continue;
    let at = found.length;
    while (at > 0 && compare(item, found[at - 1]!) < 0) at--;
    found.splice(at, 0, item);
    if (found.length > limit) found.pop();
  }
  return found;
}
