import { createHash } from "node:crypto";
import { imbalance, type Ledger } from "../api/status.ts";
import type { Place, QueueReader, TagTotals } from "../queue/types.ts";

/** What became of the records of one chunk. */
export class Tally {
  delivered = 0;
  rejected = 0;
  lost = 0;
  /** Where its records end. Until a commit reaches it, the queue still counts them in its backlog. */
  end: Place = { seq: 0, index: 0 };

  get settled(): number {
    return this.delivered + this.rejected + this.lost;
  }
}

interface Counts {
  readonly delivered?: number | undefined;
  readonly rejected?: number | undefined;
  readonly lost?: number | undefined;
}

/** The part of an output's cursor record that counts; JSON. */
export interface StoredLedger {
  /** Totals of the matching tags when this output began, less what it found in the queue then. */
  readonly base: { readonly read: number; readonly created: number; readonly filtered: number };
  readonly delivered: number;
  readonly rejected: number;
  readonly lost: number;
  /** Records after the cursor that are settled all the same (object lanes). */
  readonly ahead: number;
  /** Hash of the match patterns it counts for: others would count other tags. */
  readonly match: string;
}

export function precedes(a: Place, b: Place): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.index < b.index);
}

/**
 * Keeps `read + created = filtered + delivered + rejected + lost + queued` for one output: at any moment, also while a cursor is being
 * saved, and across restarts.
 */
export class LaneLedger {
  readonly #totals: () => ReadonlyMap<string, TagTotals>;
  readonly #matches: (tag: string) => boolean;
  readonly #match: string;
  readonly #reader: QueueReader;
  /** Settled wholly or in part, and not yet passed by the cursor. */
  readonly #open = new Set<Tally>();
  #base: StoredLedger["base"] = { read: 0, created: 0, filtered: 0 };
  #delivered = 0;
  #rejected = 0;
  #lost = 0;
  /** Records from `#origin` on that are settled all the same, and of those the ones met since the start, by block. */
  #ahead = 0;
  readonly #aheadBy = new Map<number, number>();
  #origin: Place;
  #anew = false;

  constructor(
    totals: () => ReadonlyMap<string, TagTotals>,
    match: readonly string[],
    matches: (tag: string) => boolean,
    reader: QueueReader,
    stored: StoredLedger | undefined,
    /** Records before the cursor that the queue lost together with the part of the log they were in. */
    gone = 0,
  ) {
    this.#totals = totals;
    this.#matches = matches;
    this.#match = hashOf(match);
    this.#reader = reader;
    this.#origin = reader.cursor;
    if (stored !== undefined) {
      this.#delivered = stored.delivered;
      this.#rejected = stored.rejected;
      this.#lost = stored.lost;
      this.#base = stored.base;
      this.#ahead = stored.ahead;
    }
    this.#lost += gone;
    if (stored === undefined || stored.match !== this.#match) this.forgetAhead();
  }

  /**
   * What was settled beyond the cursor means nothing any more and will be delivered again. Begins to count here: what is in the queue
   * now counts as read, the past before it does not.
   */
  forgetAhead(): void {
    this.#anew = true;
    this.#ahead = 0;
    this.#base = { read: 0, created: 0, filtered: 0 };
    const { read, created, filtered } = this.#sum();
    const past = this.#delivered + this.#rejected + this.#lost;
    this.#base = { read: read - this.#reader.backlog().records - past, created, filtered };
  }

  /** It begins with this run, and no cursor record says where: until one does, the next start would begin anew. */
  get anew(): boolean {
    return this.#anew;
  }

  get ahead(): number {
    return this.#ahead;
  }

  /** Begins to count a chunk. */
  add(tally: Tally): void {
    this.#open.add(tally);
  }

  /** Records the queue could not give back (damage): lost, and no longer waiting. */
  missing(seq: number, records: number): void {
    const tally = new Tally();
    tally.lost = records;
    tally.end = { seq: seq + 1, index: 0 };
    this.#open.add(tally);
  }

  /** Settles records beyond the cursor; `perBlock` where they were met since the start. */
  settle(counts: Counts, perBlock?: ReadonlyMap<number, number>): void {
    this.#add(counts);
    this.#ahead += (counts.delivered ?? 0) + (counts.rejected ?? 0) + (counts.lost ?? 0);
    for (const [seq, records] of perBlock ?? []) this.meet(seq, records);
  }

  /** So many of the records settled beyond the cursor are in block `seq`. */
  meet(seq: number, records: number): void {
    this.#aheadBy.set(seq, (this.#aheadBy.get(seq) ?? 0) + records);
  }

  /** The cursor has skipped records: whatever the balance now lacks is lost. Returns how many. */
  absorb(): number {
    const skipped = Math.max(0, imbalance(this.now()));
    this.#lost += skipped;
    return skipped;
  }

  /** As it has to stand in a cursor record at that place. */
  stored(at: Place): StoredLedger {
    let [delivered, rejected, lost] = [this.#delivered, this.#rejected, this.#lost];
    for (const tally of this.#open) {
      if (precedes(at, tally.end)) continue;
      delivered += tally.delivered;
      rejected += tally.rejected;
      lost += tally.lost;
    }
    return { base: this.#base, delivered, rejected, lost, ahead: this.#aheadOf(at), match: this.#match };
  }

  now(): Ledger {
    this.#fold();
    const { read, created, filtered } = this.#sum();
    let [delivered, rejected, lost] = [this.#delivered, this.#rejected, this.#lost];
    let queued = this.#reader.backlog().records - this.#ahead;
    for (const tally of this.#open) {
      delivered += tally.delivered;
      rejected += tally.rejected;
      lost += tally.lost;
      queued -= tally.settled;
    }
    const base = this.#base;
    return {
      read: read - base.read,
      created: created - base.created,
      filtered: filtered - base.filtered,
      delivered,
      rejected,
      lost,
      queued,
    };
  }

  /** Takes in what a commit has taken out of the backlog meanwhile. */
  #fold(): void {
    const { counted } = this.#reader;
    for (const tally of this.#open) {
      if (precedes(counted, tally.end)) continue;
      this.#open.delete(tally);
      this.#add(tally);
    }
    if (!precedes(this.#origin, counted)) return;
    this.#ahead = this.#aheadOf(counted);
    const inside = this.#before(counted);
    for (const seq of this.#aheadBy.keys()) if (seq < counted.seq) this.#aheadBy.delete(seq);
    if (inside > 0) this.meet(counted.seq, -inside);
    this.#origin = counted;
  }

  /** How many of those ahead lie at or after a place before which everything is settled. */
  #aheadOf(place: Place): number {
    let ahead = this.#ahead - this.#before(place);
    for (const [seq, records] of this.#aheadBy) if (seq < place.seq) ahead -= records;
    return ahead;
  }

  /** How many records of the place's own block lie before it, and were not passed yet. */
  #before(place: Place): number {
    if (!this.#aheadBy.has(place.seq)) return 0;
    return Math.max(0, place.index - (this.#origin.seq === place.seq ? this.#origin.index : 0));
  }

  #add({ delivered = 0, rejected = 0, lost = 0 }: Counts): void {
    this.#delivered += delivered;
    this.#rejected += rejected;
    this.#lost += lost;
  }

  #sum(): { read: number; created: number; filtered: number } {
    return sumOf(this.#totals(), this.#matches);
  }
}

function hashOf(match: readonly string[]): string {
  return createHash("sha256").update(match.join(" ")).digest("base64url").slice(0, 16);
}

function sumOf(totals: ReadonlyMap<string, TagTotals>, matches: (tag: string) => boolean): StoredLedger["base"] {
  const sum = { read: 0, created: 0, filtered: 0 };
  for (const [tag, of] of totals) {
    if (!matches(tag)) continue;
    sum.read += of.read;
    sum.created += of.created;
    sum.filtered += of.filtered;
  }
  return sum;
}

/** What a cursor record's ledger says while no agent runs; undefined where it counts for other patterns than these. */
export function storedLedger(
  { base, delivered, rejected, lost, ahead, match }: StoredLedger,
  patterns: readonly string[] | undefined,
  matches: (tag: string) => boolean,
  { totals, waiting }: { totals: ReadonlyMap<string, TagTotals>; waiting: number },
): Ledger | undefined {
  if (patterns !== undefined && match !== hashOf(patterns)) return undefined;
  const { read, created, filtered } = sumOf(totals, matches);
  return {
    read: read - base.read,
    created: created - base.created,
    filtered: filtered - base.filtered,
    delivered,
    rejected,
    lost,
    queued: waiting - ahead,
  };
}
