/** Copies of short ASCII texts, eight bytes at once: a call into native code costs more than they do. */

export function viewOver(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The text as doubles, eight bytes each, little endian; the last one ends where the text ends, and overlaps the one before. Shorter texts
 * have none. A plain array: typed ones are asked at each use whether they were detached. ASCII never makes a NaN, which would not be
 * copied as it is.
 */
export function doublesOf(text: Buffer): readonly number[] {
  const doubles: number[] = [];
  if (text.length < 8) return doubles;
  for (let p = 0; p < text.length - 8; p += 8) doubles.push(text.readDoubleLE(p));
  doubles.push(text.readDoubleLE(text.length - 8));
  return doubles;
}

/** Copies `from` to `to`; answers where the copy ends. The views are over the two buffers. */
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
  // Sums are cut to 32 bits, so that V8 keeps them in registers.
  if (length < 8) {
    if (length >= 4) {
      view.setInt32(at, source.getInt32(from, true), true);
      view.setInt32((end - 4) | 0, source.getInt32((to - 4) | 0, true), true);
    } else {
      for (let i = 0; i < length; i = (i + 1) | 0) view.setUint8((at + i) | 0, source.getUint8((from + i) | 0));
    }
  } else if (length > 512) {
    out.set(bytes.subarray(from, to), at);
  } else {
    const last = (to - 8) | 0;
    for (let p = from | 0, d = at | 0; p < last; p = (p + 8) | 0, d = (d + 8) | 0) {
      view.setFloat64(d, source.getFloat64(p, true), true);
    }
    // The last word overlaps the one before.
    view.setFloat64((end - 8) | 0, source.getFloat64(last, true), true);
  }
  return end;
}
