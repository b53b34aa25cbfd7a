import { Judge, type Verdict } from "../../agent/integrity/judge.ts";
import type { BreakKind } from "../../agent/integrity/kinds.ts";
import { Step } from "../../agent/integrity/reader.ts";
import { Around } from "./around.ts";
import type { Budget } from "./budget.ts";
import type { Known } from "./known.ts";
import type { Line, Lines } from "./lines.ts";
import { hashBeside, LineCounter } from "./neighbours.ts";
import { type Facts, finding, started } from "./records.ts";
import { type Finding, isHashLike, type Notice } from "./state.ts";

/** A file's first entry may stand behind a byte order mark. */
const FIRST_OFFSET = 3;
const SAMPLE_BYTES = 256;
const LINE_BREAK = Buffer.from("\n");
/** What a file that comes later may explain. */
const EXPLAINABLE: ReadonlySet<BreakKind> = new Set(["removed", "edited_or_removed", "missing_file", "reordered"]);

/** Who is told. `index`: of the record in the batch at hand, where it is in that. */
export interface Listener {
  broken(found: Finding, index: number | undefined): void;
  unverifiable(index: number | undefined): void;
  say(notice: Notice): void;
}

export interface VerdictSettings {
  readonly group: string;
  readonly allowRestart: boolean;
  readonly budget: Budget;
}

/** Says of lines that do not simply follow what they are. */
export class Verdicts {
  readonly #known: Known;
  readonly #settings: VerdictSettings;
  readonly #listener: Listener;
  readonly #counter = new LineCounter();
  /** The break in question is not looked into deeply. */
  #hurried = false;

  constructor(known: Known, settings: VerdictSettings, listener: Listener) {
    this.#known = known;
    this.#settings = settings;
    this.#listener = listener;
  }

  /** The first line of what took the place of a file that had other content, or more. */
  history(line: Line, now: number): void {
    const { state, recent, probe } = this.#known;
    const { history, origin, offset } = line;
    if (history === undefined || !state.anchored || offset > FIRST_OFFSET) return;
    // Its first line may wait, and come here again.
    if (this.#known.met(origin.id) || state.excused === origin.id) return;
    state.excused = origin.id;
    this.#hurried = !this.#settings.budget.take(now);
    if (history === "truncated" && origin.path !== undefined && !this.#hurried) {
      // Copied and then emptied: what was read of it ends a file beside it.
      const latest = new Set(recent.latest(state.inFile));
      if (hashBeside(origin.path, probe, (hash) => latest.has(hash))) return;
    }
    const facts: Facts = { kind: history, level: "error", expected: this.#known.reader.tip, found: undefined, line: 1 };
    this.#broken(this.#finding(facts, line, now), undefined);
  }

  /** A line before this one is blank, and counts. */
  blank(lines: Lines, k: number, now: number): void {
    const line = lines.at(k);
    const { reader, probe, recent, state, judge } = this.#known;
    if (!state.anchored || !this.#known.met(line.origin.id)) return;
    this.#hurried = !this.#settings.budget.take(now);
    const firsts = { firstOfChain: false, firstOfFile: false };
    const around = new Around({ lines, k, line, recent, probe, hurried: this.#hurried, ...firsts });
    const verdict = judge.judge(reader, Step.malformed, around);
    if (verdict.kind === undefined) return;
    const blank = { ...line, bytes: LINE_BREAK, start: 0, end: 1, offset: line.blank! };
    this.#broken(this.#finding(this.#facts(verdict.kind, verdict, blank), blank, now), undefined);
  }

  /** False: it has to wait for more lines. `decide`: it must not. */
  look(lines: Lines, k: number, decide: boolean, now: number): boolean {
    const known = this.#known;
    const { reader, recent, state } = known;
    const line = lines.at(k);
    const firstOfFile = !known.met(line.origin.id);
    const firstOfChain = !state.anchored;
    const step = line.cut ? Step.malformed : reader.next(line.bytes, line.start, line.end);
    if (step === Step.follows) {
      this.#accept(line);
      if (firstOfChain) this.#start(true, now);
      return true;
    }
    const { probe } = known;
    const hurried = !this.#settings.budget.take(now);
    this.#hurried = hurried;
    const around = new Around({ lines, k, line, recent, probe, firstOfChain, firstOfFile, hurried });
    const { tip, tipSeq } = reader;
    const judge = new Judge(known.judge.memory);
    const verdict = judge.judge(reader, step, around);
    if (around.short && !decide) {
      reader.tip = tip;
      reader.tipSeq = tipSeq;
      return false;
    }
    known.take(judge);
    const index = k < lines.waited ? undefined : k - lines.waited;
    if (line.cut) this.#cut(line, verdict, index, now);
    else if (step !== Step.breaks) this.#tell(verdict, line, index, now);
    else this.#outOfPlace(line, verdict, index, now, { firstOfChain, firstOfFile });
    return true;
  }

  /** It has a hash, and does not follow the tip. */
  #outOfPlace(
    line: Line,
    verdict: Verdict,
    index: number | undefined,
    now: number,
    { firstOfChain, firstOfFile }: { firstOfChain: boolean; firstOfFile: boolean },
  ): void {
    const { state } = this.#known;
    const { kind } = verdict;
    if (kind === undefined) {
      this.#accept(line);
      return;
    }
    const facts = this.#facts(kind, verdict, line);
    if (firstOfChain) {
      this.#enter(line);
      // The predecessor of the first entry of all was not seen, and is no break.
      const found = kind === "head_missing" ? undefined : this.#finding(facts, line, now);
      const explained = (kind === "head_missing" || kind === "reordered") && this.#await(line, found, now);
      if (found !== undefined && !explained) this.#broken(found, index);
      this.#start(false, now);
      return;
    }
    const found = this.#finding(facts, line, now);
    if (firstOfFile && state.excused === line.origin.id) state.excused = undefined;
    else if (!(firstOfFile && this.#mayBeExplained(kind, line, found, now))) this.#broken(found, index);
    this.#enter(line);
  }

  /** A file's beginning that another file may explain, which is there and was not read yet. */
  #mayBeExplained(kind: BreakKind, line: Line, found: Finding, now: number): boolean {
    const { state, holding } = this.#known;
    if (EXPLAINABLE.has(kind)) return this.#await(line, found, now);
    // It may be the very first file, come late.
    if (kind !== "restarted" || !holding || state.rooted) return false;
    state.rooted = true;
    return this.#known.hold({ finding: found, wanted: undefined, since: now });
  }

  #await(line: Line, found: Finding | undefined, now: number): boolean {
    const { reader, recent, probe } = this.#known;
    if (line.origin.path === undefined || this.#hurried) return false;
    const beside = hashBeside(line.origin.path, probe, (hash) => reader.follows(hash));
    if (beside === undefined || recent.has(beside.hash)) return false;
    return this.#known.hold({ finding: found, wanted: beside.hash, since: now });
  }

  #cut(line: Line, { kind }: Verdict, index: number | undefined, now: number): void {
    this.#listener.unverifiable(index);
    if (kind === undefined) return;
    const facts: Facts = {
      kind: "unverifiable",
      level: "warning",
      expected: undefined,
      found: undefined,
      line: undefined,
    };
    this.#broken(this.#finding(facts, line, now), undefined);
  }

  #tell(verdict: Verdict, line: Line, index: number | undefined, now: number): void {
    this.#listener.unverifiable(index);
    if (verdict.kind === undefined) return;
    this.#broken(this.#finding(this.#facts(verdict.kind, verdict, line), line, now), index);
  }

  #facts(kind: BreakKind, { expected, found }: Verdict, line: Line): Facts {
    const { path, id } = line.origin;
    const sample = line.bytes.subarray(line.start, Math.min(line.end, line.start + SAMPLE_BYTES));
    const at = path === undefined || this.#hurried ? undefined : this.#counter.lineAt(path, id, line.offset, sample);
    const level = kind === "restarted" && this.#settings.allowRestart ? "warning" : "error";
    return { kind, level, line: at, expected, found };
  }

  #finding(facts: Facts, { origin, offset }: Line, now: number): Finding {
    const { state, reader } = this.#known;
    const place = { group: this.#settings.group, scheme: state.scheme, now };
    return finding(facts, { origin, offset }, { entries: state.entries, tip: reader.tip }, place);
  }

  #broken(found: Finding, k: number | undefined): void {
    this.#listener.broken(found, k);
  }

  #start(genesis: boolean, now: number): void {
    const { state } = this.#known;
    state.anchored = true;
    state.rooted = genesis;
    this.#listener.say(started(this.#known.now, genesis, { group: this.#settings.group, scheme: state.scheme, now }));
  }

  /** It is in its place after all. */
  #accept(line: Line): void {
    this.#known.accept(line.origin, line.offset, 1);
    this.#remember();
  }

  /** The chain goes on from it. */
  #enter(line: Line): void {
    this.#known.meet(line.origin, line.offset);
    this.#known.state.inFile++;
    this.#remember();
  }

  #remember(): void {
    const { recent, reader, holding } = this.#known;
    if (reader.tip !== "" && isHashLike(reader.tip)) recent.add(reader.tip);
    if (holding) this.#known.explain(reader.tip);
  }
}
