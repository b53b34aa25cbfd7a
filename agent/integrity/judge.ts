import type { BreakKind } from "./kinds.ts";
import type { ChainReader } from "./reader.ts";

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
  /** What its hash would have to be to follow the tip; undefined where there is no telling. */
  readonly expected: string | undefined;
}

/** Says what happened where `ChainReader.next` did not answer `follows`. One per chain; remembers which tips are open. */
export class Judge {
  /** Hashes after which the chain may go on, the newest last. Kept with a filter's state. */
  readonly open: string[] = [];

  /**
   * `step` is what `reader.next` answered of the entry it read last. Afterwards the reader's tip is what the next entry has to follow.
   */
  judge(_reader: ChainReader, _step: number, _around: Surroundings): Verdict {
    throw new Error("not yet");
  }
}
