/**
 * What was written against what was received: the number of entries and a checksum over where each starts in the file, which the
 * agent's record ids carry. The checksum does not depend on order, and changes when an entry is missing or comes twice.
 */
export interface Tally {
  entries: number;
  checksum: number;
}

/** Where only the number can be known, without a checksum. */
export type Expected = Pick<Tally, "entries"> & Partial<Tally>;

/** By destination. */
export type Tallies = Record<string, Tally>;

/** Adds an entry that starts at `offset` bytes (where it has no id: any number that stands for it). */
export function add(tally: Tally, offset: number): void {
  tally.entries++;
  const mixed = Math.imul((offset % 0x1_0000_0000) ^ Math.floor(offset / 0x1_0000_0000), 0x9e3779b1);
  tally.checksum = (tally.checksum + ((mixed ^ (mixed >>> 15)) >>> 0)) % Number.MAX_SAFE_INTEGER;
}
