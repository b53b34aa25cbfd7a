/** Copies of short texts, by words of four bytes: a call into native code costs more than they do. */

export function viewOver(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The text in words, little endian, the last one filled up with zeros; there is always one more than full ones. A plain array: typed ones are asked at
 * each use whether they were detached. */
export function wordsOf(text: Buffer): readonly number[] {
  const words: number[] = Array.from({ length: (text.length >> 2) + 1 }, () => 0);
  for (let i = 0; i < text.length; i++) words[i >> 2]! |= text[i]! << ((i & 3) * 8);
  return words;
}

/** Copies `from` to `to`; answers where the copy ends. The views are over the two buffers, and there is room for a word more. */
export function copyText(
  bytes: Buffer,
  source: DataView,
  from: number,
  to: number,
  out: Buffer,
  view: DataView,
  at: number,
): number {
  const length = (to - from) | 0;
  const end = (at + length) | 0;
  if (length < 4) {
    for (let i = 0; i < length; i++) out[at + i] = bytes[from + i]!;
  } else if (length > 256) {
    out.set(bytes.subarray(from, to), at);
  } else {
    // Sums are cut to 32 bits, so that V8 keeps them in registers.
    const last = (to - 4) | 0;
    for (let p = from | 0, d = at | 0; p < last; p = (p + 4) | 0, d = (d + 4) | 0) {
      view.setInt32(d, source.getInt32(p, true), true);
    }
    // The last word overlaps the one before.
    view.setInt32((end - 4) | 0, source.getInt32(last, true), true);
  }
  return end;
}
