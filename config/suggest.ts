/** The known name that was probably meant, if one is near enough. */
export function suggest(written: string, known: Iterable<string>): string | undefined {
  if (written.length > 64) return undefined;
  const plain = normal(written);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(plain, normal(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "token"?)`, or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const meant = suggest(written, known);
  return meant === undefined ? "" : ` (did you mean "${meant}"?)`;
}

// maxBytes, max-bytes and MAX_BYTES are all max_bytes.
function normal(name: string): string {
  return name.toLowerCase().replace(/[_\- ]/g, "");
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
