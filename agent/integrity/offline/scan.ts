/**
 * Checks the lines that begin in one range of a file, each against the hash before it in the same range. What that leaves open - the
 * first entry, whose predecessor stands in a range before, and the suspects - is for `walk.ts`, which sees the whole chain.
 */
import { ChainReader, Entry, Step } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { isBlank } from "../space.ts";
import { beginsLine, behind, LineEnds } from "./lines.ts";
import type { Text } from "./text.ts";

/** Part of a text. Lines that begin in it belong to it, wherever they end. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** Where the text that counts begins and ends: the agent scheme trims files. */
  readonly start: number;
  readonly end: number;
}

export interface Place {
  readonly offset: number;
  /** Behind its last byte, without what ends the line. */
  readonly end: number;
  /** Lines of the range before it. */
  readonly line: number;
}

/** A line that does not follow the hash before it, or a run of lines without hashes. */
export interface Suspect extends Place {
  readonly step: number;
  /** Entries with a hash in the range before it. */
  readonly entries: number;
  /** The hash before it, and its entry's sequence number; undefined where the range has none before. */
  readonly tip: string | undefined;
  readonly tipSeq: number | undefined;
  /** Lines of the run. */
  count: number;
}

export interface Scanned {
  readonly lines: number;
  readonly entries: number;
  /** The first entry with a hash, which nothing was compared with. */
  readonly first: Place | undefined;
  /** Stored hash and sequence number of the last one. */
  readonly last: string | undefined;
  readonly lastSeq: number | undefined;
  readonly lastAt: { readonly line: number; readonly offset: number } | undefined;
  /** In order; the first `MAX_SUSPECTS`. */
  readonly suspects: readonly Suspect[];
  /** Suspects that were left out. */
  readonly more: number;
  /** What the first and the last line are (one of `Step`), blank lines left out; undefined where there is no other. */
  readonly leading: number | undefined;
  readonly trailing: number | undefined;
}

/** Lines longer than this are malformed, whatever they hold: somebody has to hold them in memory. */
export const MAX_LINE = 64 * 1024 * 1024;
/** So many breaks of a chain are looked at; more are only counted. */
export const MAX_SUSPECTS = 20_000;
const OPEN_BRACE = 0x7b;
const LF = 0x0a;
/** Behind the range, for the end of its last line. */
const OVERHANG = 16 * 1024;

export interface Limits {
  readonly maxLine: number;
  readonly maxSuspects: number;
}

export const LIMITS: Limits = { maxLine: MAX_LINE, maxSuspects: MAX_SUSPECTS };

export class Scanner {
  readonly #reader: ChainReader;
  readonly #scheme: Scheme;
  readonly #limits: Limits;
  #buffer = Buffer.allocUnsafeSlow(0);

  constructor(scheme: Scheme, limits: Limits = LIMITS) {
    this.#scheme = scheme;
    this.#limits = limits;
    this.#reader = new ChainReader(scheme);
  }

  scan(text: Text, range: Range): Scanned {
    const reader = this.#reader;
    const mode = this.#scheme.lines;
    const { maxLine, maxSuspects } = this.#limits;
    // The byte before says whether a line begins here.
    let base = Math.max(range.start, range.from - 1);
    let bytes = this.#read(text, base, Math.min(range.end, range.to + OVERHANG));
    let ends = new LineEnds(bytes, mode, 0);

    let lines = 0;
    let entries = 0;
    let first: Place | undefined;
    let leading: number | undefined;
    let trailing: number | undefined;
    let more = 0;
    let lastLine = 0;
    let lastOffset = 0;
    const suspects: Suspect[] = [];

    let p = range.from - base;
    if (p > 0 && !beginsLine(bytes, p, mode)) {
      const end = ends.after(p);
      p = end < 0 ? bytes.length : behind(bytes, end);
    }
    while (base + p < range.to && base + p < range.end) {
      let end = ends.after(p);
      if (end < 0 && base + bytes.length < range.end) {
        // Only the last line of a range reaches behind what was read.
        base += p;
        p = 0;
        bytes = this.#line(text, base, range.end);
        ends = new LineEnds(bytes, mode, 0);
        end = ends.after(0);
      }
      if (end < 0) end = bytes.length;
      const tooLong = end - p > maxLine;
      const line = lines++;
      if (tooLong || !isSkipped(mode, bytes, p, end)) {
        const step = tooLong ? Step.malformed : this.#step(bytes, p, end, first === undefined);
        if (step === Step.follows) {
          if (first === undefined) first = { offset: base + p, end: base + end, line };
          entries++;
          lastLine = line;
          lastOffset = base + p;
        } else if (step === trailing && step !== Step.breaks) {
          const run = suspects.at(-1);
          if (run !== undefined && more === 0) run.count++;
        } else if (suspects.length < maxSuspects) {
          const known = first !== undefined;
          suspects.push({
            offset: base + p,
            end: base + end,
            line,
            step,
            entries,
            tip: known ? reader.tip : undefined,
            tipSeq: known ? reader.tipSeq : undefined,
            count: 1,
          });
        } else {
          more++;
        }
        if (step === Step.breaks) {
          entries++;
          lastLine = line;
          lastOffset = base + p;
          reader.adopt();
        }
        leading ??= step;
        trailing = step;
      }
      // One whose end was not even read is the range's last.
      if (tooLong && end === bytes.length) break;
      p = bytes[end] === LF ? end + 1 : behind(bytes, end);
    }
    const known = first !== undefined;
    return {
      lines,
      entries,
      first,
      last: known ? reader.tip : undefined,
      lastSeq: known ? reader.tipSeq : undefined,
      lastAt: known ? { line: lastLine, offset: lastOffset } : undefined,
      suspects,
      more,
      leading,
      trailing,
    };
  }

  /** The first entry of a range has nothing it could be compared with: it is taken as it is. */
  #step(bytes: Buffer, start: number, end: number, first: boolean): number {
    if (!first) return this.#reader.next(bytes, start, end);
    const entry = this.#reader.read(bytes, start, end);
    if (entry === Entry.chained) {
      this.#reader.adopt();
      return Step.follows;
    }
    return entry === Entry.stripped ? Step.stripped : Step.malformed;
  }

  /** From `from` to the end of the line, or so much that it is too long. */
  #line(text: Text, from: number, limit: number): Buffer {
    const { maxLine } = this.#limits;
    for (let length = 4 * OVERHANG; ; length *= 4) {
      const to = Math.min(limit, from + Math.min(length, maxLine + 2));
      const bytes = this.#read(text, from, to);
      const whole = to === limit || bytes.length > maxLine + 1;
      // The line's last byte may be half of its end.
      if (whole || new LineEnds(bytes.subarray(0, -1), this.#scheme.lines, 0).after(0) >= 0) return bytes;
    }
  }

  #read(text: Text, from: number, to: number): Buffer {
    if (this.#buffer.length < to - from) this.#buffer = Buffer.allocUnsafeSlow(to - from);
    return text.read(from, to, this.#buffer);
  }
}

/** A blank line is no line to Python's verifiers; to the agent's it is a break. */
function isSkipped(mode: Scheme["lines"], bytes: Buffer, start: number, end: number): boolean {
  // Almost every line: asked here, so that nothing is called for it.
  if (bytes[start] === OPEN_BRACE && end > start) return false;
  return mode === "python" && isBlank(bytes, start, end);
}
