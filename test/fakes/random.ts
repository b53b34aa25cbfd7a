/** A seeded generator of 32-bit numbers (mulberry32): the same seed, the same numbers. */
export function seededIntegers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The same as numbers in [0, 1). */
export function seeded(seed: number): () => number {
  const next = seededIntegers(seed);
  return () => next() / 2 ** 32;
}
