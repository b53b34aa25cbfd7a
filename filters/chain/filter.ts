import { RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import type { FilterContext } from "../../agent/api/context.ts";
import type { Filter, FilterStatus } from "../../agent/api/filter.ts";
import { Budget } from "./budget.ts";
import { type ChainSettings, GroupChain } from "./chain.ts";
import { groupsTold, type KnownGroup, SHOWN_MS } from "./groups.ts";
import { Quarantine } from "./quarantine.ts";
import { SAVED } from "./recent.ts";
import { INTEGRITY_TAG } from "./records.ts";
import type { ChainState, Finding, Notice } from "./state.ts";

export type OnBreak = "alert" | "annotate" | "quarantine" | "stop";

export interface FilterSettings extends ChainSettings {
  readonly onBreak: OnBreak;
  /** For `quarantine`. */
  readonly directory: string;
}

type Emitted = (created: RecordBatch) => void;

/** So much waits for the next tick, which stores them and that they were made in one block. With more, all of it goes at once. */
const MOST_WAITING_BYTES = 12 * 1024;

/** Hashes a chain keeps in memory, some 100 KB, where there are few chains. */
const REMEMBERED = 1024;
const FEW_GROUPS = 64;

interface Group {
  readonly chain: GroupChain;
  /** Flags for records of the batch at hand. */
  marks: Map<number, number> | undefined;
  /** From this record of the batch at hand on, entries are diverted. */
  divertFrom: number | undefined;
  /** Told to the counters. */
  verified: number;
  unchained: number;
}

export class ChainFilter implements Filter {
  readonly #settings: FilterSettings;
  readonly #context: FilterContext;
  readonly #quarantine: Quarantine;
  readonly #groups = new Map<string, Group>();
  readonly #budget = new Budget();

  constructor(settings: FilterSettings, context: FilterContext) {
    this.#settings = settings;
    this.#context = context;
    this.#quarantine = new Quarantine(settings.directory);
  }

  process(batch: RecordBatch, emit: Emitted): RecordBatch {
    // What a filter created is in no chain.
    if (batch.count === 0 || batch.kind !== "") return batch;
    const group = this.#group(batch.source.group);
    const { chain } = group;
    chain.take(batch);
    this.#count(group);
    const waiting = chain.state?.outbox.reduce((bytes, { json }) => bytes + json.length, 0) ?? 0;
    if (waiting > MOST_WAITING_BYTES) this.#send(chain, emit);
    return this.#diverted(group, this.#marked(group, batch));
  }

  tick(now: number, emit: Emitted): void {
    const end = now === Number.POSITIVE_INFINITY;
    for (const group of this.#groups.values()) {
      group.chain.settle(end);
      this.#count(group);
      this.#send(group.chain, emit);
    }
  }

  state(group: string): Uint8Array | undefined {
    return this.#groups.get(group)?.chain.save();
  }

  restore(name: string, state: Uint8Array): void {
    const group = this.#group(name);
    group.chain.restore(state);
    group.verified = group.chain.state?.entries ?? 0;
  }

  holds(input: string): string | undefined {
    if (this.#settings.onBreak !== "stop") return undefined;
    for (const { chain } of this.#groups.values()) {
      if (chain.state?.stopped !== undefined && chain.state.at.origin.input === input) return chain.state.stopped;
    }
    return undefined;
  }

  status(): FilterStatus {
    const now = this.#context.clock.now();
    let latest: ChainState["last"];
    let breaks = 0;
    let verified = 0;
    let count = 0;
    for (const { state } of this.#known()) {
      count++;
      breaks += state.breaks;
      verified += state.entries;
      if (state.last !== undefined && (latest === undefined || state.last.at > latest.at)) latest = state.last;
    }
    const chains = {
      count,
      verified,
      breaks,
      groups: (limit: number) => groupsTold(this.#known(), limit, this.#context.clock.now()),
    };
    if (latest === undefined || now - latest.at > SHOWN_MS) return { state: "ok", chains };
    const where = latest.path === undefined ? "" : ` in ${latest.path}`;
    const reason = `chain broken${where} (${latest.kind}), ${breaks} ${breaks === 1 ? "break" : "breaks"}`;
    return { state: "degraded", since: latest.at, reason, chains };
  }

  *#known(): Generator<KnownGroup> {
    for (const { chain } of this.#groups.values()) {
      const { state, group } = chain;
      if (state !== undefined) yield { group, state };
    }
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = this.#newGroup(name);
      this.#groups.set(name, group);
    }
    return group;
  }

  #newGroup(name: string): Group {
    const chain: GroupChain = new GroupChain(
      name,
      this.#settings,
      {
        broken: (found, index) => this.#broken(group, found, index),
        unverifiable: (index) => this.#mark(group, index, RecordFlag.unverified),
        say: (notice) => this.#say(chain, notice),
      },
      {
        now: () => this.#context.clock.now(),
        budget: this.#budget,
        remembered: this.#groups.size < FEW_GROUPS ? REMEMBERED : SAVED,
      },
    );
    const group: Group = { chain, marks: undefined, divertFrom: undefined, verified: 0, unchained: 0 };
    return group;
  }

  #broken(group: Group, { kind, level, notice }: Finding, index: number | undefined): void {
    const { chain } = group;
    const state = chain.state!;
    const { path } = notice.origin;
    this.#say(chain, notice);
    this.#context.emit({
      is: "chain_break",
      filter: this.#context.alias,
      group: chain.group,
      kind,
      level: level === "error" ? "error" : "warn",
      offset: notice.offset,
      ...(path === undefined ? {} : { path }),
    });
    if (level !== "error") return;
    const at = this.#context.clock.now();
    state.breaks++;
    state.last = { kind, path, offset: notice.offset, at };
    this.#mark(group, index, RecordFlag.broken);
    const { onBreak } = this.#settings;
    const reason = `the chain is broken in ${path ?? chain.group} at byte ${notice.offset} (${kind})`;
    if (onBreak === "stop") state.stopped ??= `${reason}; on_break: stop`;
    if (onBreak !== "quarantine" || state.diverted !== undefined) return;
    state.diverted = this.#quarantine.begin(chain.group, reason);
    group.divertFrom = index;
    const message = `${reason}: what follows goes to ${state.diverted.file} until its .hold file is removed`;
    this.#context.emit({ is: "notice", level: "error", component: this.#context.alias, message });
  }

  #say(chain: GroupChain, notice: Notice): void {
    chain.state!.outbox.push(notice);
    chain.touch();
  }

  #mark(group: Group, index: number | undefined, flag: number): void {
    if (this.#settings.onBreak !== "annotate" || index === undefined) return;
    group.marks ??= new Map();
    group.marks.set(index, flag);
  }

  #marked(group: Group, batch: RecordBatch): RecordBatch {
    const { marks } = group;
    if (marks === undefined) return batch;
    group.marks = undefined;
    const flags = new Uint8Array(batch.count);
    if (batch.flags !== undefined) flags.set(batch.flags.subarray(0, batch.count));
    for (const [index, flag] of marks) flags[index]! |= flag;
    return batch.flagged(flags);
  }

  #diverted({ chain, divertFrom }: Group, batch: RecordBatch): RecordBatch {
    const state = chain.state;
    if (state?.diverted === undefined) return batch;
    if (divertFrom === undefined && this.#quarantine.isReleased(state.diverted)) {
      const file = this.#quarantine.putAway(state.diverted.file);
      state.diverted = undefined;
      const held = file === undefined ? "" : `; what was held is in ${file}`;
      const message = `${chain.group} is released from quarantine${held}`;
      this.#context.emit({ is: "notice", level: "warn", component: this.#context.alias, message });
      return batch;
    }
    const from = divertFrom ?? 0;
    this.#groups.get(chain.group)!.divertFrom = undefined;
    state.diverted = this.#quarantine.append(state.diverted, batch, from);
    return batch.slice(0, from);
  }

  #count(group: Group): void {
    const entries = group.chain.state?.entries ?? 0;
    const verified = entries - group.verified;
    const unchained = group.chain.unchained - group.unchained;
    if (verified === 0 && unchained === 0) return;
    group.verified = entries;
    group.unchained = group.chain.unchained;
    this.#context.emit({ is: "chain", filter: this.#context.alias, verified, unchained });
  }

  /** Hands out what was told, one batch for what is of one source and kind. */
  #send(chain: GroupChain, emit: Emitted): void {
    const { state } = chain;
    while (state !== undefined && state.outbox.length > 0) {
      const { origin, kind } = state.outbox[0]!;
      const isAlike = (notice: Notice) => notice.origin.id === origin.id && notice.kind === kind;
      const notices = state.outbox.filter(isAlike);
      state.outbox = state.outbox.filter((notice) => !isAlike(notice));
      chain.touch();
      emit(this.#batch(chain.group, notices));
    }
  }

  #batch(group: string, notices: readonly Notice[]): RecordBatch {
    const { origin, kind } = notices[0]!;
    const lines = notices.map(({ json }) => Buffer.from(`${json}\n`));
    const ends = new Uint32Array(lines.length);
    const starts = new Uint32Array(lines.length);
    for (const [i, { length }] of lines.entries()) {
      starts[i] = i === 0 ? 0 : ends[i - 1]! + 1;
      ends[i] = starts[i]! + length - 1;
    }
    const { id, input, path } = origin;
    return new RecordBatch({
      buffer: Buffer.concat(lines),
      starts,
      ends,
      offsets: Float64Array.from(notices, ({ offset }) => offset),
      count: notices.length,
      tag: INTEGRITY_TAG,
      source: { id, input, group, ...(path === undefined ? {} : { path }) },
      readTime: this.#context.clock.now(),
      kind,
      lines: true,
    });
  }
}
