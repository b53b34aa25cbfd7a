/** Goes through the files of one chain in order: joins what the ranges say, and has judged what does not fit. */
import { Judge } from "../judge.ts";
import type { BreakKind } from "../kinds.ts";
import { ChainReader, Entry, Step } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { isBlank } from "../space.ts";
import { Around } from "./around.ts";
import { type Bounded, linesAfter, linesBefore } from "./near.ts";
import type { Beginning } from "./order.ts";
import { type Break, type Excerpt, type FileReport, messageOf, TOO_LONG } from "./report.ts";
import type { Limits, Place, Scanned, Suspect } from "./scan.ts";

export interface WalkOptions {
  readonly beginning: Beginning;
  /** The hash before the first entry was given: something stood before it. */
  readonly startHash: string | undefined;
  readonly limits: Limits;
  readonly maxBreaks: number;
  /** After this entry the chain's hash is asked for; 0 for none. */
  readonly hashAt: number;
}

/** As it was at the first break. */
interface First {
  readonly broken: Break;
  readonly files: number;
  readonly entries: number;
  readonly tip: string;
}

const CONTEXT = 2;
/** More lines of one run without hashes are not looked at one by one. */
const LONGEST_RUN = 4096;
/** Of a line of the excerpt at either end, in bytes. */
const SHOWN = 1000;

function shown(bytes: Buffer): string {
  if (bytes.length <= 2 * SHOWN) return bytes.toString("utf8");
  return `${bytes.toString("utf8", 0, SHOWN)} … ${bytes.toString("utf8", bytes.length - SHOWN)}`;
}

export class Walk {
  readonly breaks: Break[] = [];
  total = 0;
  /** How many of each kind, without those that nobody looked at. */
  readonly kinds = new Map<BreakKind, number>();
  entries = 0;
  first: First | undefined;
  excerpt: Excerpt | undefined;
  readonly files: FileReport[];
  /** The stored hash of entry `hashAt`. */
  hashAt: string | undefined;
  readonly #scheme: Scheme;
  readonly #options: WalkOptions;
  readonly #reader: ChainReader;
  readonly #judge = new Judge();
  readonly #around: Around;
  #tip: string;
  #tipSeq: number | undefined;
  #judged = 0;
  /** The break that a run of lines without hashes began, while it lasts. */
  #run: Break | undefined;
  /** So many lines of it the judge has seen. */
  #runLines = 0;
  #trailing: number | undefined;
  #file = -1;
  #fileEntries = 0;
  #lines = 0;
  /** Of the last entry. */
  #lastLine = 0;
  #lastOffset = 0;

  /** `files` are those that are checked, `opened` gives what is at hand of each. */
  constructor(
    scheme: Scheme,
    files: readonly string[],
    opened: readonly (() => Bounded | undefined)[],
    size: number,
    options: WalkOptions,
  ) {
    this.#scheme = scheme;
    this.#options = options;
    this.#reader = new ChainReader(scheme);
    this.#tip = options.beginning.tip;
    this.#around = new Around(scheme, opened, size, options.startHash);
    this.files = files.map((file) => ({ file, state: "ok", entries: 0, breaks: 0 }));
  }

  get tip(): string {
    return this.#tip;
  }

  /** Ranges come in order, and every line of a file in one of them. */
  add(file: number, bounded: Bounded, scanned: Scanned): void {
    if (file !== this.#file) {
      this.#file = file;
      this.#lines = 0;
      this.#fileEntries = 0;
      this.#trailing = undefined;
      this.#run = undefined;
    }
    let { first } = scanned;
    for (const [i, suspect] of scanned.suspects.entries()) {
      if (first !== undefined && first.offset < suspect.offset) {
        this.#first(first, bounded);
        first = undefined;
      }
      const goesOn = i === 0 && suspect.step === scanned.leading && suspect.step === this.#trailing;
      if (goesOn) {
        if (this.#run !== undefined) this.#run.lines += suspect.count;
        this.#reader.tip = this.#tip;
        this.#restOfRun({ ...suspect, end: suspect.offset }, suspect.count, bounded);
      } else {
        this.#suspect(suspect, first === undefined && scanned.first !== undefined, bounded);
        this.#runLines = 1;
        this.#restOfRun(suspect, suspect.count - 1, bounded);
      }
    }
    if (first !== undefined) this.#first(first, bounded);
    this.#uncounted(scanned.more);
    this.#noteHash(bounded, scanned);
    this.entries += scanned.entries;
    this.#fileEntries += scanned.entries;
    this.files[file]!.entries += scanned.entries;
    if (scanned.last !== undefined) {
      this.#lastLine = this.#lines + scanned.lastAt!.line + 1;
      this.#lastOffset = scanned.lastAt!.offset;
      this.#tip = scanned.last;
      this.#tipSeq = scanned.lastSeq;
    }
    this.#lines += scanned.lines;
    this.#trailing = scanned.trailing ?? this.#trailing;
  }

  /** The first entry of a range follows what the ranges before ended with, or does not. */
  #first(place: Place, bounded: Bounded): void {
    const reader = this.#reader;
    const bytes = bounded.text.read(place.offset, place.end);
    reader.tip = this.#tip;
    reader.tipSeq = this.#tipSeq;
    if (this.entries === 0 && this.#options.beginning.anchored) {
      reader.read(bytes, 0, bytes.length);
      if (reader.ownHashFits() !== false) return;
      reader.tip = reader.previous ?? reader.tip;
    }
    const step = reader.next(bytes, 0, bytes.length);
    if (step !== Step.follows) this.#broken(place, 0, step, bounded, 1, false);
  }

  #suspect(suspect: Suspect, firstBefore: boolean, bounded: Bounded): void {
    const reader = this.#reader;
    reader.tip = firstBefore ? suspect.tip! : this.#tip;
    reader.tipSeq = firstBefore ? suspect.tipSeq : this.#tipSeq;
    const tooLong = suspect.end - suspect.offset > this.#options.limits.maxLine;
    if (this.#judged < this.#options.limits.maxSuspects && !tooLong) {
      const bytes = bounded.text.read(suspect.offset, suspect.end);
      reader.next(bytes, 0, bytes.length);
    }
    this.#broken(suspect, suspect.entries, suspect.step, bounded, suspect.count, tooLong);
  }

  /** What follows a run of entries without hashes may follow the hash the last of them had: the judge has to see each. */
  #restOfRun({ step, end }: Suspect, lines: number, bounded: Bounded): void {
    if (step !== Step.stripped || this.#judged >= this.#options.limits.maxSuspects) return;
    const mode = this.#scheme.lines;
    let left = Math.min(lines, LONGEST_RUN - this.#runLines);
    let from = end;
    while (left > 0) {
      const next = linesAfter(bounded, from, left, mode);
      if (next.length === 0) return;
      for (const { offset, bytes } of next) {
        from = offset + bytes.length;
        if (mode === "python" && isBlank(bytes, 0, bytes.length)) continue;
        this.#judge.judge(this.#reader, this.#reader.next(bytes, 0, bytes.length), this.#around);
        this.#runLines++;
        left--;
      }
    }
  }

  #broken(place: Place, entries: number, step: number, bounded: Bounded, lines: number, tooLong: boolean): void {
    this.#run = undefined;
    if (this.#judged >= this.#options.limits.maxSuspects) {
      this.#uncounted(1);
      return;
    }
    this.#judged++;
    const reader = this.#reader;
    const { tip } = reader;
    const around = this.#around;
    around.moveTo(this.#file, place.offset, place.end);
    around.firstOfChain = this.entries + entries === 0 && this.#options.startHash === undefined;
    around.firstOfFile = this.#fileEntries + entries === 0;
    const { kind, expected, found } = this.#judge.judge(reader, step, around);
    if (kind === undefined) return;
    const file = this.files[this.#file]!;
    const one = {
      file: file.file,
      line: this.#lines + place.line + 1,
      offset: place.offset,
      kind,
      message: tooLong ? TOO_LONG : messageOf(kind),
      expected: expected ?? null,
      found: found ?? null,
      lines,
    };
    if (step !== Step.breaks) this.#run = one;
    this.first ??= { broken: one, files: this.#file + 1, entries: this.entries + entries, tip };
    this.excerpt ??= this.#excerpt(place, bounded);
    this.#keep(one);
  }

  /** Entries that were expected at the end are not there. */
  truncated(message: string, expected: string | null, found: string | null): void {
    if (this.files.length === 0) return;
    this.#file = this.files.length - 1;
    const one = {
      file: this.files[this.#file]!.file,
      line: this.#lastLine,
      offset: this.#lastOffset,
      kind: "truncated" as const,
      message,
      expected,
      found,
      lines: 1,
    };
    this.first ??= { broken: one, files: this.files.length, entries: this.entries, tip: this.#tip };
    this.#keep(one);
  }

  #keep(one: Break): void {
    this.#count(1);
    this.kinds.set(one.kind, (this.kinds.get(one.kind) ?? 0) + 1);
    if (this.breaks.length < this.#options.maxBreaks) this.breaks.push(one);
  }

  #uncounted(count: number): void {
    if (count > 0) this.#count(count);
  }

  #count(count: number): void {
    const file = this.files[this.#file]!;
    file.state = "broken";
    file.breaks += count;
    this.total += count;
  }

  /** What the chain's hash was after a given entry: read again, once. */
  #noteHash(bounded: Bounded, scanned: Scanned): void {
    const wanted = this.#options.hashAt - this.entries;
    if (wanted <= 0 || wanted > scanned.entries) return;
    const reader = new ChainReader(this.#scheme);
    let left = wanted;
    for (let end = scanned.first!.offset, place = { end: scanned.first!.end }; left > 0; ) {
      const bytes = bounded.text.read(end, place.end);
      if (reader.read(bytes, 0, bytes.length) === Entry.chained && --left === 0) this.hashAt = reader.stored;
      const [next] = linesAfter(bounded, place.end, 1, this.#scheme.lines);
      if (next === undefined) return;
      end = next.offset;
      place = { end: next.offset + next.bytes.length };
    }
  }

  #excerpt(place: Place, bounded: Bounded): Excerpt {
    const mode = this.#scheme.lines;
    const number = this.#lines + place.line + 1;
    const before = linesBefore(bounded, place.offset, CONTEXT, mode).reverse();
    const after = linesAfter(bounded, place.end, CONTEXT, mode);
    const own = bounded.text.read(place.offset, place.end);
    return {
      lines: [
        ...before.map(({ bytes }, i) => ({ number: number - before.length + i, text: shown(bytes), broken: false })),
        { number, text: shown(own), broken: true },
        ...after.map(({ bytes }, i) => ({ number: number + 1 + i, text: shown(bytes), broken: false })),
      ],
    };
  }
}
