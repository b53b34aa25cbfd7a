/** Whether a glob fits all of a text. Greedy: time is at most pattern times text, and a pattern is short. */
export function globMatches(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const c = glob[g];
    if (c === "*") {
      star = g++;
      resume = t;
    } else if (c === "?" || c === text[t]) {
      g++;
      t++;
    } else if (star >= 0) {
      // Let the last star take one character more.
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (glob[g] === "*") g++;
  return g === glob.length;
}
