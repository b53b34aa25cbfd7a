/**
 * Says what happened where a chain does not hold, from the entries around, and no more than they carry. The rules and their reasons:
 * docs/decisions/0011-hash-chains.md.
 */
import type { BreakKind } from "./kinds.ts";
import { type ChainReader, Step } from "./reader.ts";

/** What stands around the entry in question, asked for only where it is needed. Hashes are stored ones, as written. */
export interface Surroundings {
  /** Nothing with a hash stands before it, in any file. */
  readonly firstOfChain: boolean;
  /** Nothing with a hash stands before it in its file. */
  readonly firstOfFile: boolean;
  /** Hashes of the entries before, the nearest first; at most `count`. */
  before(count: number): readonly string[];
  /** Hashes of the entries after, the nearest first; at most `count`. */
  after(count: number): readonly string[];
  /** Whether an entry before, however far, has this hash. */
  seen(hash: string): boolean;
}

export interface Verdict {
  /** Undefined: no break of its own, but the other side of one told before. */
  readonly kind: BreakKind | undefined;
  /** The hash that should stand there: the entry's own, or the one it names as its predecessor. Undefined where there is no telling. */
  readonly expected: string | undefined;
  /** What stands there instead; undefined where nothing does. */
  readonly found: string | undefined;
}

/** What a judge remembers; kept with a filter's state. */
export interface JudgeMemory {
  /** Hashes after which the chain may go on, the newest last. */
  readonly open: readonly string[];
  /** Lines without a usable hash stand behind the tip `at`; `hash` is what the last of them must have had, as far as that can be told. */
  readonly gap: { readonly at: string; readonly by: "stripped" | "malformed"; readonly hash: string } | undefined;
  /** The hash of an entry in the wrong place, told last. */
  readonly moved: string | undefined;
  /** Hashes still to come after which the chain will not go on: what follows them stood before them. Undefined in what was kept earlier. */
  readonly closed?: readonly string[];
}

/** The chain may go on after so many hashes at once; the oldest is forgotten. */
const OPEN = 64;
/** So many moved entries are remembered. */
const CLOSED = 8;
/** So far ahead a predecessor is still a neighbour. */
const NEIGHBOURS = 64;
/** So far back an earlier entry is looked for that has a second successor. */
const FORKS = 4096;

/** One per chain. Asked where `ChainReader.next` did not answer `follows`. */
export class Judge {
  #open: string[];
  #gap: JudgeMemory["gap"];
  #moved: string | undefined;
  #closed: string[];

  constructor(memory?: JudgeMemory) {
    this.#open = [...(memory?.open ?? [])];
    this.#gap = memory?.gap;
    this.#moved = memory?.moved;
    this.#closed = [...(memory?.closed ?? [])];
  }

  get memory(): JudgeMemory {
    return { open: [...this.#open], gap: this.#gap, moved: this.#moved, closed: [...this.#closed] };
  }

  /** `step` is what `reader.next` answered of the entry it read last. Afterwards the reader's tip is what the next entry has to follow. */
  judge(reader: ChainReader, step: number, around: Surroundings): Verdict {
    // Any entry that was accepted since has moved the tip.
    if (this.#gap?.at !== reader.tip) this.#gap = undefined;
    if (step === Step.malformed) return this.#malformed(reader);
    if (step === Step.stripped) return this.#stripped(reader);
    const kind = this.#kindOf(reader, around);
    const verdict = { kind, ...claim(reader, kind) };
    // Before the very first entry stands nothing that could go on, but for an entry that changed places with it.
    if (!around.firstOfChain || kind === "reordered") this.#leave(reader.tip);
    // Where only the hash was changed, the next entry follows the one that belongs there.
    if (kind === "edited" || kind === "edited_or_removed") this.#leave(belongs(reader));
    if (kind === "reordered") this.#moved = reader.stored;
    this.#gap = undefined;
    reader.adopt();
    return verdict;
  }

  #malformed(reader: ChainReader): Verdict {
    const more = this.#gap?.by === "malformed";
    this.#gap = { at: reader.tip, by: "malformed", hash: "" };
    return { kind: more ? undefined : "malformed", expected: undefined, found: undefined };
  }

  #stripped(reader: ChainReader): Verdict {
    const more = this.#gap?.by === "stripped";
    const expected = reader.hashAfter(this.#gap?.hash || reader.tip);
    this.#gap = { at: reader.tip, by: "stripped", hash: expected };
    return { kind: more ? undefined : "stripped", expected, found: undefined };
  }

  #kindOf(reader: ChainReader, around: Surroundings): BreakKind | undefined {
    const ownFits = reader.ownHashFits();
    if (this.#goesOn(reader)) return undefined;
    if (ownFits === false) return "edited";
    if (reader.stored !== "" && around.seen(reader.stored)) return "duplicated";
    if (!around.firstOfChain && reader.follows(reader.scheme.genesis)) return "restarted";
    const before = around.after(NEIGHBOURS).find((hash) => reader.follows(hash));
    if (before !== undefined) {
      this.#close(before);
      // Where two entries changed places, what followed the one follows the other: still the same break.
      return this.#moved === reader.tip ? undefined : "reordered";
    }
    if (this.#forks(reader, around)) return "forked";
    // It may well follow the hash that is not there.
    if (this.#gap !== undefined) return undefined;
    if (around.firstOfChain) return "head_missing";
    if (ownFits === undefined) return "edited_or_removed";
    return unknownPredecessor(reader, around);
  }

  /** Whether the entry goes on where the chain was left; that place is then no longer open. */
  #goesOn(reader: ChainReader): boolean {
    if (this.#gap !== undefined && this.#gap.hash !== "" && reader.follows(this.#gap.hash)) return true;
    for (let i = this.#open.length - 1; i >= 0; i--) {
      if (!reader.follows(this.#open[i]!)) continue;
      this.#open.splice(i, 1);
      return true;
    }
    return false;
  }

  #forks(reader: ChainReader, around: Surroundings): boolean {
    // Where the predecessor is named there is nothing to try.
    if (reader.previous !== undefined) return around.seen(reader.previous);
    return around.before(FORKS).some((hash) => reader.follows(hash));
  }

  #close(hash: string): void {
    if (this.#closed.includes(hash)) return;
    this.#closed.push(hash);
    if (this.#closed.length > CLOSED) this.#closed.shift();
  }

  #leave(hash: string): void {
    // A copy of what follows it must not pass for that.
    const closed = this.#closed.indexOf(hash);
    if (closed >= 0) this.#closed.splice(closed, 1);
    if (closed >= 0 || hash === "" || this.#open.includes(hash)) return;
    this.#open.push(hash);
    if (this.#open.length > OPEN) this.#open.shift();
  }
}

/** The entry's own hash fits, and it names a predecessor that nobody has seen. */
function unknownPredecessor(reader: ChainReader, around: Surroundings): BreakKind {
  const { seq, tipSeq } = reader;
  if (seq !== undefined && tipSeq !== undefined) {
    // No number is left out: the entry before was changed and given a new hash of its own.
    if (seq === tipSeq + 1) return "edited";
    if (seq <= tipSeq) return "edited_or_removed";
  }
  return around.firstOfFile ? "missing_file" : "removed";
}

/** The hash that belongs to the entry's content, after the predecessor it names or else the tip. */
function belongs(reader: ChainReader): string {
  return reader.hashAfter(reader.previous ?? reader.tip);
}

function claim(
  reader: ChainReader,
  kind: BreakKind | undefined,
): { expected: string | undefined; found: string | undefined } {
  if (kind === undefined) return { expected: undefined, found: undefined };
  // Where the entry itself is sound, what is wrong is what it follows.
  if (reader.ownHashFits() === true) return { expected: reader.tip, found: reader.previous };
  return { expected: belongs(reader), found: reader.stored === "" ? undefined : reader.stored };
}
