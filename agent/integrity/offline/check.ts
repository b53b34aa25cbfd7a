/** Reads the files of a chain, range by range, and hands what is found to the walk in order. */
import type { Scheme } from "../scheme.ts";
import type { Bounded } from "./near.ts";
import type { ChainFile, Opened } from "./opened.ts";
import type { Limits, Range, Scanned } from "./scan.ts";
import { StreamText } from "./stream.ts";
import type { FileText, Text } from "./text.ts";
import type { Walk } from "./walk.ts";

/** Checks ranges, here or in other threads. */
export interface Ranges {
  /** So many may wait or be under way; 0 where there are no other threads. */
  readonly depth: number;
  /** Of a file that other threads can read. */
  scan(scheme: Scheme, text: FileText, range: Range): Promise<Scanned>;
  /** Of a stream: only here. */
  scanHere(scheme: Scheme, text: Text, range: Range): Scanned;
  close(): Promise<void>;
}

interface UnderWay {
  readonly file: number;
  readonly range: Range;
  readonly scanned: Promise<Scanned>;
}

/** What was read as a stream stays at hand up to so many bytes in all. */
const HELD = 256 * 1024 * 1024;

/** Of the files that come next so much is at hand. */
const FILES_AHEAD = 8;
const BYTES_AHEAD = 64 * 1024;

export class Check {
  readonly #files: readonly ChainFile[];
  readonly #opened: (Opened | undefined)[] = [];
  /** The next files, open before it is their turn. */
  readonly #later = new Map<number, Opened>();
  readonly #scheme: Scheme;
  readonly #ranges: Ranges;
  readonly #rangeSize: number;
  readonly #limits: Limits;
  readonly #progress: (bytes: number) => void;
  readonly #underWay: UnderWay[] = [];

  constructor(
    files: readonly ChainFile[],
    scheme: Scheme,
    ranges: Ranges,
    { rangeSize, limits }: { rangeSize: number; limits: Limits },
    progress: (bytes: number) => void,
  ) {
    this.#files = files;
    this.#scheme = scheme;
    this.#ranges = ranges;
    this.#rangeSize = rangeSize;
    this.#limits = limits;
    this.#progress = progress;
  }

  /** Each file as far as it is at hand. */
  get atHand(): readonly (() => Bounded | undefined)[] {
    return this.#files.map((_, i) => () => this.#opened[i] ?? this.#later.get(i));
  }

  async run(walk: Walk): Promise<void> {
    try {
      for (const i of this.#files.keys()) {
        const opened = await this.#open(i);
        await opened.awaitLastLine();
        this.#opened[i] = opened;
        await this.#lookAhead(i);
        if (opened.text instanceof StreamText) {
          await this.#settle(walk, 0);
          await this.#stream(walk, i, opened, opened.text);
          await this.#letGo();
        } else {
          await this.#file(walk, i, opened, opened.text);
        }
      }
      await this.#settle(walk, 0);
    } finally {
      await Promise.allSettled(this.#underWay.map(({ scanned }) => scanned));
      for (const opened of [...this.#opened, ...this.#later.values()]) await opened?.close();
    }
  }

  async #open(i: number): Promise<Opened> {
    const opened = this.#later.get(i) ?? (await this.#files[i]!.open(this.#scheme.lines));
    this.#later.delete(i);
    return opened;
  }

  /** What follows the last entries of a file stands in the next ones: of compressed files their beginnings have to be there. */
  async #lookAhead(from: number): Promise<void> {
    let bytes = 0;
    for (let i = from + 1; i < this.#files.length && i <= from + FILES_AHEAD && bytes < BYTES_AHEAD; i++) {
      const later = this.#later.get(i) ?? (await this.#files[i]!.open(this.#scheme.lines));
      this.#later.set(i, later);
      bytes += later.end - later.start;
    }
  }

  async #file(walk: Walk, file: number, { start, end }: Opened, text: FileText): Promise<void> {
    for (let from = start; from < end; from += this.#rangeSize) {
      const range = { from, to: Math.min(end, from + this.#rangeSize), start, end };
      const scanned = this.#ranges.scan(this.#scheme, text, range);
      // It is awaited later, and must not count as unhandled until then.
      scanned.catch(() => {});
      this.#underWay.push({ file, range, scanned });
      await this.#settle(walk, this.#ranges.depth);
    }
  }

  async #stream(walk: Walk, file: number, opened: Opened, text: StreamText): Promise<void> {
    const { start } = opened;
    for await (const { from, to } of opened.pieces(this.#rangeSize, this.#limits.maxLine)) {
      const range = { from, to, start, end: opened.end };
      walk.add(file, opened, this.#ranges.scanHere(this.#scheme, text, range));
      opened.release(to);
      this.#progress(to - from);
    }
  }

  /** Until no more than so many ranges are under way. */
  async #settle(walk: Walk, most: number): Promise<void> {
    while (this.#underWay.length > most) {
      const { file, range, scanned } = this.#underWay[0]!;
      const done = await scanned;
      this.#underWay.shift();
      walk.add(file, this.#opened[file]!, done);
      this.#progress(range.to - range.from);
    }
  }

  async #letGo(): Promise<void> {
    let held = 0;
    for (const opened of this.#opened.toReversed()) {
      if (!(opened?.text instanceof StreamText)) continue;
      held += opened.text.end - opened.text.lowest;
      if (held > HELD) await opened.close();
    }
  }
}
