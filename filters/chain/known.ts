import { Judge, type JudgeMemory } from "../../agent/integrity/judge.ts";
import { ChainReader } from "../../agent/integrity/reader.ts";
import { type Scheme, schemeOf } from "../../agent/integrity/scheme.ts";
import { Recent } from "./recent.ts";
import { type ChainState, decodeState, encodeState, type Held, isHashLike, type Origin } from "./state.ts";

/** So many sources of a group are remembered as begun. */
const SOURCES = 16;
/** So much of what is held back goes with the state; a record of a break has some 700 bytes. */
const MOST_HELD_BYTES = 20 * 1024;
/** As many as a judge may hold open. */
const MOST_LINKED = 64;
const NOTHING: JudgeMemory = { open: [], gap: undefined, moved: undefined };

/** What is known of one chain: where it stands, what was met, what is still open. */
export class Known {
  readonly reader: ChainReader;
  /** Reads other entries than the one in question. */
  readonly probe: ChainReader;
  readonly recent: Recent;
  readonly state: ChainState;
  judge: Judge;
  /** A file's beginning waits for another one to explain it. */
  holding: boolean;

  private constructor(scheme: Scheme, state: ChainState, recent: Recent) {
    this.reader = new ChainReader(scheme, state.tip);
    this.reader.tipSeq = state.tipSeq;
    this.probe = new ChainReader(scheme);
    this.recent = recent;
    this.state = state;
    this.judge = new Judge(state.judge);
    this.holding = state.held.length > 0;
  }

  static begin(scheme: Scheme, at: ChainState["at"], now: number, capacity: number): Known {
    const { name, hash, previous, genesis } = scheme;
    return new Known(
      scheme,
      {
        scheme: name,
        hash,
        previous,
        anchored: false,
        tip: genesis,
        tipSeq: undefined,
        judge: NOTHING,
        at,
        entries: 0,
        inFile: 0,
        breaks: 0,
        told: { entries: 0, count: 0, at: now },
        active: now,
        last: undefined,
        sources: [],
        rooted: false,
        waiting: [],
        waitingSince: 0,
        held: [],
        linked: [],
        excused: undefined,
        outbox: [],
        diverted: undefined,
        stopped: undefined,
      },
      new Recent(capacity),
    );
  }

  /** undefined for a state of another version. */
  static restore(bytes: Uint8Array, capacity: number): Known | undefined {
    const decoded = decodeState(bytes);
    if (decoded === undefined) return undefined;
    const { state, hashes } = decoded;
    const scheme = schemeOf(state.scheme, { hash: state.hash, previous: state.previous });
    return new Known(scheme, state, Recent.restore(hashes, capacity));
  }

  save(): Uint8Array {
    this.#settle();
    return encodeState(this.state, this.recent.save());
  }

  #settle(): void {
    const { tip, tipSeq } = this.reader;
    Object.assign(this.state, { tip, tipSeq, judge: this.judge.memory });
  }

  /** The state as it is now. */
  get now(): ChainState {
    this.state.tip = this.reader.tip;
    return this.state;
  }

  /** `count` entries more were verified; the last of them stands here. */
  accept(origin: Origin, offset: number, count: number): void {
    this.state.entries += count;
    this.meet(origin, offset);
    this.state.inFile += count;
  }

  /** An entry with a hash stands here. */
  meet({ id, input, path }: Origin, offset: number): void {
    const { state } = this;
    state.at = { origin: { id, input, path }, offset };
    if (state.sources.at(-1) === id) return;
    state.inFile = 0;
    state.sources = [...state.sources.filter((known) => known !== id), id].slice(-SOURCES);
  }

  /** Whether an entry with a hash was met in the source. */
  met(id: string): boolean {
    return this.state.sources.includes(id);
  }

  /** False: too much is held already. */
  hold(held: Held): boolean {
    const bytes = [...this.state.held, held].reduce(
      (sum, { finding }) => sum + (finding?.notice.json.length ?? 200),
      0,
    );
    if (bytes > MOST_HELD_BYTES) return false;
    this.state.held = [...this.state.held, held];
    this.holding = true;
    return true;
  }

  release(gone: (held: Held) => boolean): readonly Held[] {
    const released = this.state.held.filter(gone);
    if (released.length > 0) this.state.held = this.state.held.filter((held) => !gone(held));
    this.holding = this.state.held.length > 0;
    return released;
  }

  /** This hash is in the chain: what began elsewhere by following it is explained. */
  explain(hash: string): void {
    const explained = this.release(({ wanted }) => wanted === hash);
    if (explained.length === 0) return;
    if (this.state.held.every(({ wanted }) => wanted === undefined)) this.release(() => true);
    const { linked } = this.state;
    linked.push(hash);
    if (linked.length > MOST_LINKED) linked.shift();
  }

  /** Takes the judge that judged, but for what it holds open that has its successor elsewhere, or is no hash. */
  take(judge: Judge): void {
    this.judge = judge;
    const { linked } = this.state;
    const { open, closed = [], ...memory } = judge.memory;
    const isOpen = (hash: string) => isHashLike(hash) && !linked.includes(hash);
    if (open.every(isOpen) && closed.every(isHashLike)) return;
    this.judge = new Judge({ ...memory, open: open.filter(isOpen), closed: closed.filter(isHashLike) });
    this.state.linked = linked.filter((hash) => !open.includes(hash));
  }
}
