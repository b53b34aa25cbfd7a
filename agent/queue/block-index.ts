/** Where the blocks of one segment are and what they hold, 36 bytes a block. Kept for segments in use only. */

const FIRST_ROOM = 32;

export class BlockIndex {
  length = 0;
  seqs = new Float64Array(FIRST_ROOM);
  /** First page of the block; 0 (the segment header's) for one that is damaged: only its numbers are left. */
  pages = new Uint32Array(FIRST_ROOM);
  /** Length in pages. */
  sizes = new Uint32Array(FIRST_ROOM);
  counts = new Uint32Array(FIRST_ROOM);
  bytes = new Float64Array(FIRST_ROOM);
  tags = new Uint32Array(FIRST_ROOM);
  times = new Float64Array(FIRST_ROOM);

  push(seq: number, page: number, size: number, count: number, bytes: number, tag: number, time: number): void {
    if (this.length === this.seqs.length) this.#grow();
    const i = this.length++;
    this.seqs[i] = seq;
    this.pages[i] = page;
    this.sizes[i] = size;
    this.counts[i] = count;
    this.bytes[i] = bytes;
    this.tags[i] = tag;
    this.times[i] = time;
  }

  /** Puts what is missing before entry `at`. */
  insert(at: number, seq: number, count: number, bytes: number, tag: number, time: number): void {
    this.push(seq, 0, 0, count, bytes, tag, time);
    for (const column of [this.seqs, this.pages, this.sizes, this.counts, this.bytes, this.tags, this.times]) {
      const value = column[this.length - 1]!;
      column.copyWithin(at + 1, at, this.length - 1);
      column[at] = value;
    }
  }

  /** The first entry at or after `seq`; `length` where there is none. */
  find(seq: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.seqs[middle]! < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Forgets everything from `seq` on. */
  cut(seq: number): void {
    this.length = this.find(seq);
  }

  #grow(): void {
    const room = this.length * 2;
    this.seqs = grown(new Float64Array(room), this.seqs);
    this.pages = grown(new Uint32Array(room), this.pages);
    this.sizes = grown(new Uint32Array(room), this.sizes);
    this.counts = grown(new Uint32Array(room), this.counts);
    this.bytes = grown(new Float64Array(room), this.bytes);
    this.tags = grown(new Uint32Array(room), this.tags);
    this.times = grown(new Float64Array(room), this.times);
  }
}

function grown<T extends Float64Array | Uint32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
