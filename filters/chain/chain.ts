import { type RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import { ChainReader, Entry, Step } from "../../agent/integrity/reader.ts";
import { detectScheme, type FieldNames, type Scheme, type SchemeName, schemeOf } from "../../agent/integrity/scheme.ts";
import { scanRecord } from "../../agent/json/scanner.ts";
import type { Budget } from "./budget.ts";
import { KeySearch } from "./key-search.ts";
import { Known } from "./known.ts";
import { Lines } from "./lines.ts";
import { verified } from "./records.ts";
import type { ChainState } from "./state.ts";
import { type Listener, Verdicts } from "./verdicts.ts";

export interface ChainSettings {
  readonly scheme: SchemeName | "auto";
  readonly fields: FieldNames;
  readonly allowRestart: boolean;
  /** Whether a verdict may wait for the lines that follow. */
  readonly patient: boolean;
  /** How long a file may wait for another that explains its beginning, milliseconds. */
  readonly waitForFile: number;
  /** 0: never. */
  readonly verifiedEvery: number;
}

/** What the chains of a filter have in common. */
export interface Shared {
  now(): number;
  readonly budget: Budget;
  /** How many hashes a new chain remembers. */
  readonly remembered: number;
}

/** The members of all schemes that hold an entry's own hash are called so, or end with it. */
const HASH_ENDING = "hash";
/** A verdict waits so long for the lines that follow, and for so many bytes of them. */
const PATIENCE_MS = 2_000;
const MOST_WAITING_BYTES = 16 * 1024;
/** Of a group in which nothing was verified for so long, nothing is said any more. */
const FORGOTTEN_MS = 7 * 86_400_000;

/** The chain of one group: through its files, in the order in which they come. */
export class GroupChain {
  readonly group: string;
  readonly #settings: ChainSettings;
  readonly #listener: Listener;
  readonly #shared: Shared;
  /** Undefined before the first entry with a hash. */
  #known: Known | undefined;
  #verdicts: Verdicts | undefined;
  /** Of a scheme that is configured, to find its first entry. */
  readonly #finder: ChainReader | undefined;
  #changed = false;
  /** Lines before the first entry with a hash. */
  unchained = 0;

  constructor(group: string, settings: ChainSettings, listener: Listener, shared: Shared) {
    this.group = group;
    this.#settings = settings;
    this.#listener = listener;
    this.#shared = shared;
    if (settings.scheme !== "auto") this.#finder = new ChainReader(schemeOf(settings.scheme, settings.fields));
  }

  /** What is known of it; undefined before its first entry with a hash. */
  get state(): ChainState | undefined {
    return this.#known?.now;
  }

  /** What was known under other settings is left alone: the chain begins anew. */
  restore(bytes: Uint8Array): void {
    const known = Known.restore(bytes, this.#shared.remembered);
    if (known !== undefined && this.#isMeant(known.reader.scheme)) this.#open(known);
  }

  #isMeant({ name, hash, previous }: Scheme): boolean {
    const { scheme, fields } = this.#settings;
    if (scheme !== "auto" && scheme !== name) return false;
    return (fields.hash ?? hash) === hash && (previous === undefined || (fields.previous ?? previous) === previous);
  }

  /** The state as it is to be stored, if it changed since the last call. */
  save(): Uint8Array | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return this.#known?.save();
  }

  /** The state was changed from outside. */
  touch(): void {
    this.#changed = true;
  }

  #open(known: Known): Verdicts {
    this.#known = known;
    const { group } = this;
    const { allowRestart } = this.#settings;
    this.#verdicts = new Verdicts(known, { group, allowRestart, budget: this.#shared.budget }, this.#listener);
    return this.#verdicts;
  }

  /** Verifies a batch. What it tells names lines of the batch by their index, and those that waited by what is below 0. */
  take(batch: RecordBatch): void {
    this.#changed = true;
    let from = 0;
    if (this.#known === undefined) {
      from = this.#first(batch);
      if (this.#known === undefined) return;
    }
    const { state } = this.#known;
    const lines = new Lines(state.waiting, batch, this.#known.reader.scheme.lines === "javascript");
    state.waiting = [];
    state.active = this.#shared.now();
    this.#go(this.#known, lines, batch, lines.waited === 0 ? from : 0, !this.#settings.patient);
  }

  /** Passes by what stands before the first entry with a hash, and answers where that is. */
  #first(batch: RecordBatch): number {
    const { source, count } = batch;
    const { id, input, path } = source;
    const search = new KeySearch(batch.buffer, this.#finder?.scheme.hash ?? this.#settings.fields.hash ?? HASH_ENDING);
    for (let i = 0; i < count; i++) {
      const scheme = search.mayHave(batch.starts[i]!, batch.ends[i]!) ? this.#schemeAt(batch, i) : undefined;
      if (scheme !== undefined) {
        const at = { origin: { id, input, path }, offset: batch.offsets[i]! };
        this.#open(Known.begin(scheme, at, this.#shared.now(), this.#shared.remembered));
        this.unchained += i;
        return i;
      }
    }
    this.unchained += count;
    return count;
  }

  #schemeAt({ buffer, starts, ends, flags }: RecordBatch, i: number): Scheme | undefined {
    if (flags !== undefined && (flags[i]! & RecordFlag.cut) !== 0) return undefined;
    const start = starts[i]!;
    const end = ends[i]!;
    const finder = this.#finder;
    if (finder !== undefined) return finder.read(buffer, start, end) === Entry.chained ? finder.scheme : undefined;
    if (scanRecord(buffer, start, end) !== undefined) return undefined;
    const scheme = detectScheme(buffer, start, end, this.#settings.fields);
    // It may have the member, and no hash in it.
    return scheme && new ChainReader(scheme).read(buffer, start, end) === Entry.chained ? scheme : undefined;
  }

  #go(known: Known, lines: Lines, batch: RecordBatch | undefined, from: number, decide: boolean): void {
    const verdicts = this.#verdicts!;
    const { waited, count } = lines;
    const { waitingSince } = known.state;
    const now = this.#shared.now();
    for (let k = from; k < count; k++) {
      // What waited is told as of when it came, whenever that is decided.
      const at = k < waited ? waitingSince : now;
      if (k <= waited || known.reader.scheme.lines === "javascript") {
        const line = lines.at(k);
        if (k <= waited && line.history !== undefined) verdicts.history(line, at);
        if (line.blank !== undefined) verdicts.blank(lines, k, at);
      }
      if (batch !== undefined && k >= waited && known.state.anchored) {
        const until = lines.nextBlank(k - waited + 1);
        const to = this.#run(known, batch, k - waited, until);
        k = waited + to;
        if (k === count) return;
        if (to === until) {
          k--;
          continue;
        }
      }
      const must = decide || lines.isLongBehind(k, MOST_WAITING_BYTES);
      if (verdicts.look(lines, k, must, k < waited ? waitingSince : now)) continue;
      known.state.waiting = lines.copyFrom(k);
      // The first of them may have waited before.
      if (k > 0 || waited === 0) known.state.waitingSince = now;
      return;
    }
  }

  /** The hot path: from record `from` on to the first that does not simply follow. Answers its index, or `until`. */
  #run(known: Known, batch: RecordBatch, from: number, until: number): number {
    const { buffer, starts, ends, flags } = batch;
    const { reader, recent } = known;
    let i = from;
    for (; i < until; i++) {
      if (flags !== undefined && (flags[i]! & RecordFlag.cut) !== 0) break;
      if (reader.next(buffer, starts[i]!, ends[i]!) !== Step.follows) break;
      recent.add(reader.tip);
      if (known.holding) known.explain(reader.tip);
    }
    if (i > from) known.accept(batch.source, batch.offsets[i - 1]!, i - from);
    return i;
  }

  /** What was put off until now. `end`: nothing more will come. */
  settle(end: boolean): void {
    const known = this.#known;
    if (known === undefined) return;
    const { state } = known;
    const now = this.#shared.now();
    if (state.waiting.length > 0 && (end || now - state.waitingSince >= PATIENCE_MS)) {
      const lines = new Lines(state.waiting, undefined, false);
      state.waiting = [];
      this.#changed = true;
      this.#go(known, lines, undefined, 0, true);
    }
    const late = known.release(({ since }) => end || now - since >= this.#settings.waitForFile);
    if (late.length > 0) this.#changed = true;
    for (const { finding } of late) if (finding !== undefined) this.#listener.broken(finding, undefined);
    if (!this.#isVerifiedDue(state, now, end)) return;
    this.#changed = true;
    this.#listener.say(verified(known.now, { group: this.group, scheme: state.scheme, now }));
    state.told = { entries: state.entries, count: state.told.count + 1, at: now };
  }

  #isVerifiedDue({ entries, told, active }: ChainState, now: number, end: boolean): boolean {
    const { verifiedEvery } = this.#settings;
    if (verifiedEvery === 0) return false;
    if (end) return entries > told.entries;
    return now - told.at >= verifiedEvery && now - active <= FORGOTTEN_MS;
  }
}
