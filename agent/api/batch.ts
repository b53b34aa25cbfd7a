/**
 * RecordBatch: the only thing that flows.
 *
 * An entry is carried exactly as its writer wrote it: one buffer, and per record where it starts and ends in it.
 * Dropping records makes new arrays, never new bytes. Nothing here parses; see `spans.ts`.
 */
import { memoryPool } from "./memory-pool.ts";

/** Where records come from. One object per file identity and generation; batches share it. */
export interface Source {
  /** 22 base64url characters of SHA-256 over service.node, fingerprint and generation (or the data directory, for inputs without files). */
  readonly id: string;
  /** Alias of the input. */
  readonly input: string;
  /** Order and filter state are kept per group (directory + name pattern for files). */
  readonly group: string;
  /** Absolute path, for messages only; never an identity. */
  readonly path?: string;
  /** Syslog facility and severity set on the input, for outputs that want them. */
  readonly facility?: string;
  readonly severity?: string;
  /**
   * It took the place of another on the same path, whose content was there before and is not any more (truncated: cut short; rolled_back:
   * other content). Known to the process that saw it, and stored nowhere.
   */
  readonly history?: "truncated" | "rolled_back";
}

/** What an input needs in order to go on after this batch. The value is the input's own (JSON text); null forgets the key. */
export interface Position {
  readonly key: string;
  readonly value: string | null;
}

/** Bits of `RecordBatch.flags`: what an input or a filter knows of a record. They are stored with it. */
export const RecordFlag = {
  /** A plain line, not JSON and not meant to be (`parser: none`): encoded as `{"message": …}` without a parse error. */
  plain: 1,
  /** The line was longer than `max_line_bytes` and travels cut; `cuts` has its length and hash. */
  cut: 2,
  /** Its hash chain breaks here: marked `{"integrity":{"chain":"broken"}}` where it is encoded. */
  broken: 4,
  /** Its hash cannot be checked: marked `{"integrity":{"chain":"unverified"}}`. */
  unverified: 8,
} as const;

/** A line that travels cut: its full length in bytes (without the newline) and the SHA-256 of all of it, in hex. */
export interface Cut {
  readonly length: number;
  readonly sha256: string;
}

/** A member to be merged into every record of the batch when it is encoded. `json` is its value, as JSON bytes. */
export interface Addition {
  readonly path: readonly [string] | readonly [string, string];
  readonly json: Buffer;
}

export interface RecordBatchInit {
  readonly buffer: Buffer;
  /** Start and end (exclusive, without the newline) of each record in `buffer`. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Where each record starts in its source, in bytes (of the decompressed stream, for compressed files). */
  readonly offsets: Float64Array;
  readonly count: number;
  readonly tag: string;
  readonly source: Source;
  /** When it was read, milliseconds since the epoch: the time of entries that carry none. */
  readonly readTime: number;
  readonly flags?: Uint8Array | undefined;
  readonly cuts?: ReadonlyMap<number, Cut> | undefined;
  readonly additions?: readonly Addition[] | undefined;
  readonly positions?: readonly Position[] | undefined;
  /** Alias of the one output they are for (dead letters that are sent again); undefined: all that match the tag. */
  readonly only?: string | undefined;
  /** Kind of records a filter created (`broken`): their id is the origin's id + `-` + kind. */
  readonly kind?: string | undefined;
  /** A filter changed the bytes (redaction): `format: original` must not claim them as evidence. */
  readonly altered?: boolean | undefined;
  /** Each record is one line: no line break in any. Absent where nobody knows, as for what was read back from disk. */
  readonly lines?: boolean | undefined;
  /**
   * Takes back the memory of `buffer` (under a new ArrayBuffer; the old one is detached) when no output needs the records any more. Only
   * where nobody but this batch, and those made of it, will look at that memory: not for a part of a pool.
   */
  readonly release?: ((memory: ArrayBuffer) => void) | undefined;
}

export class RecordBatch {
  readonly buffer: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly offsets: Float64Array;
  readonly count: number;
  readonly tag: string;
  readonly source: Source;
  readonly readTime: number;
  readonly flags: Uint8Array | undefined;
  readonly cuts: ReadonlyMap<number, Cut> | undefined;
  readonly additions: readonly Addition[];
  readonly positions: readonly Position[];
  readonly only: string | undefined;
  readonly kind: string;
  readonly altered: boolean;
  readonly lines: boolean;
  readonly release: ((memory: ArrayBuffer) => void) | undefined;
  /** Field spans, filled at the first look by `FieldReader.spans` and kept while the batch lives in memory. */
  scanned: Spans | undefined;

  constructor(init: RecordBatchInit) {
    this.buffer = init.buffer;
    this.starts = init.starts;
    this.ends = init.ends;
    this.offsets = init.offsets;
    this.count = init.count;
    this.tag = init.tag;
    this.source = init.source;
    this.readTime = init.readTime;
    this.flags = init.flags;
    this.cuts = init.cuts;
    this.additions = init.additions ?? [];
    this.positions = init.positions ?? [];
    this.only = init.only;
    this.kind = init.kind ?? "";
    this.altered = init.altered ?? false;
    this.lines = init.lines ?? false;
    this.release = init.release;
    this.scanned = undefined;
  }

  /** News of positions without a record. */
  static ofPositions(
    positions: readonly Position[],
    { tag, input, readTime }: { tag: string; input: string; readTime: number },
  ): RecordBatch {
    return new RecordBatch({
      buffer: Buffer.alloc(0),
      starts: new Uint32Array(0),
      ends: new Uint32Array(0),
      offsets: new Float64Array(0),
      count: 0,
      tag,
      source: { id: "", input, group: "" },
      readTime,
      positions,
    });
  }

  /** The record's bytes, without copying. */
  bytes(index: number): Buffer {
    return this.buffer.subarray(this.starts[index], this.ends[index]);
  }

  /** The id that is the same after any crash, replay or reinstall. */
  id(index: number): string {
    const id = `${this.source.id}-${this.offsets[index]}`;
    return this.kind === "" ? id : `${id}-${this.kind}`;
  }

  /** Bytes of all records together. */
  size(): number {
    let size = 0;
    for (let i = 0; i < this.count; i++) size += this.ends[i]! - this.starts[i]!;
    return size;
  }

  /** The same batch with `additions` appended to its own. */
  with(additions: readonly Addition[]): RecordBatch {
    return this.#derive({ additions: [...this.additions, ...additions] });
  }

  /** The same batch with these flags, one byte for each record. */
  flagged(flags: Uint8Array): RecordBatch {
    return this.#derive({ flags });
  }

  /** The records at `keep[0..count)` (ascending), in a new batch over the same bytes. Positions stay: what is dropped was still read. */
  select(keep: Uint32Array, count: number): RecordBatch {
    if (count === this.count) return this;
    const starts = new Uint32Array(count);
    const ends = new Uint32Array(count);
    const offsets = new Float64Array(count);
    const flags = this.flags && new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const from = keep[i]!;
      starts[i] = this.starts[from]!;
      ends[i] = this.ends[from]!;
      offsets[i] = this.offsets[from]!;
      if (flags) flags[i] = this.flags![from]!;
    }
    let cuts: Map<number, Cut> | undefined;
    if (this.cuts) {
      cuts = new Map();
      for (let i = 0; i < count; i++) {
        const cut = this.cuts.get(keep[i]!);
        if (cut) cuts.set(i, cut);
      }
    }
    return this.#derive({ starts, ends, offsets, flags, cuts, count }, this.scanned?.select(keep, count));
  }

  /** Records `from` to `to` (exclusive): views, no copies. */
  slice(from: number, to: number): RecordBatch {
    if (from === 0 && to === this.count) return this;
    let cuts: Map<number, Cut> | undefined;
    if (this.cuts) {
      cuts = new Map();
      for (const [index, cut] of this.cuts) if (index >= from && index < to) cuts.set(index - from, cut);
    }
    return this.#derive(
      {
        starts: this.starts.subarray(from, to),
        ends: this.ends.subarray(from, to),
        offsets: this.offsets.subarray(from, to),
        flags: this.flags?.subarray(from, to),
        cuts,
        count: to - from,
      },
      this.scanned?.slice(from, to),
    );
  }

  #derive(changes: Partial<RecordBatchInit>, scanned = this.scanned): RecordBatch {
    const batch = new RecordBatch({ ...this, ...changes });
    batch.scanned = scanned;
    return batch;
  }
}

/** Bits of `Spans.flags`: what scanning found out about a record. */
export const SpanFlag = {
  /** Not a JSON object in valid UTF-8 (or a plain or cut line): it has no fields. */
  notObject: 1,
  /** Contains NaN, Infinity or -Infinity, as Python writes them. */
  nonFinite: 2,
} as const;

/**
 * Where the values of the configured fields are: record i, column c from `start(i, c)` to `end(i, c)` in the batch's buffer; a start of 0
 * means absent (a value never stands at 0: a brace precedes it). A string's span has its quotes.
 *
 * Dropping records keeps the cells and remembers which rows are left: the cells are a quarter of what a batch holds, and copying them
 * for every filter made the garbage collector run twice as often.
 */
export class Spans {
  readonly width: number;
  /** Row r, column c at `r * width + c`; the row of a record is `row(i)`, which is not always i. */
  readonly startCells: Uint32Array;
  readonly endCells: Uint32Array;
  readonly rowFlags: Uint8Array;
  /** The reader whose columns these are: another one (after a reload) scans anew. */
  readonly reader: FieldReader | undefined;
  /** Rows of the records; undefined where record i has row i. */
  readonly rows: Uint32Array | undefined;

  constructor(
    width: number,
    startCells: Uint32Array,
    endCells: Uint32Array,
    rowFlags: Uint8Array,
    reader?: FieldReader,
    rows?: Uint32Array,
  ) {
    this.width = width;
    this.startCells = startCells;
    this.endCells = endCells;
    this.rowFlags = rowFlags;
    this.reader = reader;
    this.rows = rows;
  }

  /**
   * Gives back the cells' memory, which is one for both: no batch with these spans, or with what was derived of them, is needed any more.
   * Who still looks finds nothing.
   */
  release(): void {
    const { buffer } = this.startCells;
    if (buffer instanceof ArrayBuffer && !buffer.detached) memoryPool.give(buffer.transfer());
  }

  row(i: number): number {
    return this.rows === undefined ? i : this.rows[i]!;
  }

  start(i: number, column: number): number {
    return this.startCells[this.row(i) * this.width + column]!;
  }

  end(i: number, column: number): number {
    return this.endCells[this.row(i) * this.width + column]!;
  }

  /** `SpanFlag` bits. */
  flags(i: number): number {
    return this.rowFlags[this.row(i)]!;
  }

  slice(from: number, to: number): Spans {
    const { width, startCells, endCells, rowFlags, reader, rows } = this;
    if (rows !== undefined) return new Spans(width, startCells, endCells, rowFlags, reader, rows.subarray(from, to));
    return new Spans(
      width,
      startCells.subarray(from * width, to * width),
      endCells.subarray(from * width, to * width),
      rowFlags.subarray(from, to),
      reader,
    );
  }

  select(keep: Uint32Array, count: number): Spans {
    const rows = new Uint32Array(count);
    for (let i = 0; i < count; i++) rows[i] = this.row(keep[i]!);
    return new Spans(this.width, this.startCells, this.endCells, this.rowFlags, this.reader, rows);
  }
}

/** Reads the top-level fields that the pipeline's plugins named (`fields` of their definition). */
export interface FieldReader {
  /** Column of a field in every `Spans` of this pipeline; -1 for a field no plugin of the pipeline named. */
  column(field: string): number;
  /** Scans on the first call, then answers from the batch. */
  spans(batch: RecordBatch): Spans;
}
