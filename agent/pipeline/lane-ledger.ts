import { imbalance, type Ledger } from "../api/status.ts";
import type { QueueReader, TagTotals } from "../queue/types.ts";

/** What became of the records of one chunk. Moves into the ledger when the cursor passes the chunk. */
export class Tally {
  delivered = 0;
  rejected = 0;
  lost = 0;

  get settled(): number {
    return this.delivered + this.rejected + this.lost;
  }
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
  /** The match patterns it counts for: others would count other tags. */
  readonly match: string;
}

/** Keeps `read + created = filtered + delivered + rejected + lost + queued` for one output, across restarts. */
export class LaneLedger {
  readonly #totals: () => ReadonlyMap<string, TagTotals>;
  readonly #matches: (tag: string) => boolean;
  readonly #match: string;
  readonly #reader: QueueReader;
  /** Chunks begun and not yet passed by the cursor. */
  readonly open = new Set<Tally>();
  #base: StoredLedger["base"];
  #delivered = 0;
  #rejected = 0;
  #lost = 0;
  readonly #missing: { readonly seq: number; readonly tally: Tally }[] = [];
  /** Records after the cursor that are settled all the same; the object lane keeps it. */
  ahead = 0;

  constructor(
    totals: () => ReadonlyMap<string, TagTotals>,
    match: readonly string[],
    matches: (tag: string) => boolean,
    reader: QueueReader,
    stored: StoredLedger | undefined,
  ) {
    this.#totals = totals;
    this.#matches = matches;
    this.#match = match.join(" ");
    this.#reader = reader;
    this.#base = { read: 0, created: 0, filtered: 0 };
    if (stored !== undefined) {
      this.#delivered = stored.delivered;
      this.#rejected = stored.rejected;
      this.#lost = stored.lost;
      this.#base = stored.base;
      this.ahead = stored.ahead;
    }
    if (stored === undefined || stored.match !== this.#match) this.#rebase();
  }

  /** Begins to count here: what is in the queue now counts as read, the past before it does not. */
  #rebase(): void {
    this.#base = { read: 0, created: 0, filtered: 0 };
    const { read, created, filtered } = this.#sum();
    const past = this.#delivered + this.#rejected + this.#lost;
    const queued = this.#reader.backlog().records - this.ahead;
    this.#base = { read: read - queued - past, created, filtered };
  }

  /** The cursor has passed a chunk. */
  pass(tally: Tally): void {
    this.open.delete(tally);
    this.#delivered += tally.delivered;
    this.#rejected += tally.rejected;
    this.#lost += tally.lost;
  }

  /** Records the queue could not give back (damage): lost, once the cursor has passed the block they were in. */
  missing(seq: number, records: number): void {
    const tally = new Tally();
    tally.lost = records;
    this.open.add(tally);
    this.#missing.push({ seq, tally });
  }

  /** The cursor is about to stand at block `seq`. */
  passTo(seq: number): void {
    while (this.#missing[0] && this.#missing[0].seq < seq) this.pass(this.#missing.shift()!.tally);
  }

  /** Settles records at once, wherever the cursor is; the caller keeps `ahead`. */
  settle(counts: { readonly delivered?: number; readonly rejected?: number; readonly lost?: number }): void {
    this.#delivered += counts.delivered ?? 0;
    this.#rejected += counts.rejected ?? 0;
    this.#lost += counts.lost ?? 0;
  }

  /** So many records counted as settled will be delivered again (as after a change of options): the count begins anew. */
  forget(records: number): void {
    this.ahead -= records;
    this.#rebase();
  }

  /** The cursor has skipped records: whatever the balance now lacks is lost. Returns how many. */
  absorb(): number {
    const skipped = Math.max(0, imbalance(this.now()));
    this.#lost += skipped;
    return skipped;
  }

  stored(): StoredLedger {
    return {
      base: this.#base,
      delivered: this.#delivered,
      rejected: this.#rejected,
      lost: this.#lost,
      ahead: this.ahead,
      match: this.#match,
    };
  }

  now(): Ledger {
    const { read, created, filtered } = this.#sum();
    let [delivered, rejected, lost, queued] = [
      this.#delivered,
      this.#rejected,
      this.#lost,
      this.#reader.backlog().records - this.ahead,
    ];
    for (const tally of this.open) {
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

  #sum(): { read: number; created: number; filtered: number } {
    const sum = { read: 0, created: 0, filtered: 0 };
    for (const [tag, totals] of this.#totals()) {
      if (!this.#matches(tag)) continue;
      sum.read += totals.read;
      sum.created += totals.created;
      sum.filtered += totals.filtered;
    }
    return sum;
  }
}
