import type { RecordBatch } from "../api/batch.ts";
import type { Emit } from "../api/events.ts";
import type { Filter } from "../api/filter.ts";
import type { AppendExtra } from "../queue/types.ts";

export interface ChainLink {
  readonly alias: string;
  readonly matches: (tag: string) => boolean;
  readonly filter: Filter;
  /** It can drop records. */
  readonly drops?: boolean;
}

/** A batch on its way into the queue, and what is stored with it. */
export interface Filtered {
  readonly batch: RecordBatch;
  readonly extra: AppendExtra;
}

/** The filters in their order. What a filter creates goes through those after it. */
export class FilterChain {
  #links: readonly ChainLink[];
  readonly #emit: Emit;

  constructor(links: readonly ChainLink[], emit: Emit) {
    this.#links = links;
    this.#emit = emit;
  }

  /**
   * Created batches come first, the batch itself last: its block holds the position and the filters' state, so a crash in between
   * makes them again (under the same ids) and never leaves them out.
   */
  process(batch: RecordBatch): Filtered[] {
    const out: Filtered[] = [];
    out.push(this.#from(0, batch, { read: batch.count, created: 0 }, out));
    return out;
  }

  /** Only between batches: what the links before have made must be in the queue. */
  replace(links: readonly ChainLink[]): void {
    this.#links = links;
  }

  /** What the agent itself has to say goes through the filters too, but for those that could keep it from being heard. */
  own(batch: RecordBatch): Filtered {
    let current = batch;
    for (const { matches, drops, filter } of this.#links) {
      if (drops !== true && matches(current.tag)) current = filter.process(current, () => {});
    }
    return {
      batch: current,
      extra: { read: 0, created: batch.count, filtered: batch.count - current.count, states: [] },
    };
  }

  tick(now: number): Filtered[] {
    const out: Filtered[] = [];
    for (const [at, link] of this.#links.entries()) {
      link.filter.tick?.(now, (created) => this.#created(at, link, created, out, true));
    }
    return out;
  }

  /** Why nothing more may be read from the input. */
  holds(input: string): string | undefined {
    for (const { filter } of this.#links) {
      const reason = filter.holds?.(input);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #from(
    start: number,
    batch: RecordBatch,
    counts: { read: number; created: number },
    out: Filtered[],
    states: AppendExtra["states"][number][] = [],
  ): Filtered {
    let current = batch;
    for (let at = start; at < this.#links.length; at++) {
      const link = this.#links[at]!;
      if (!link.matches(current.tag)) continue;
      const before = current.count;
      current = link.filter.process(current, (created) => this.#created(at, link, created, out));
      const dropped = before - current.count;
      if (dropped > 0) this.#emit({ is: "filtered", filter: link.alias, records: dropped });
      const { group } = batch.source;
      const state = link.filter.state?.(group);
      if (state !== undefined) states.push({ filter: link.alias, group, state });
    }
    return { batch: current, extra: { ...counts, filtered: batch.count - current.count, states } };
  }

  /** `alone`: no batch comes behind it that would hold its maker's state. */
  #created(at: number, link: ChainLink, created: RecordBatch, out: Filtered[], alone = false): void {
    if (created.count === 0) return;
    this.#emit({ is: "created", by: link.alias, records: created.count, reason: created.kind });
    const { group } = created.source;
    const state = alone ? link.filter.state?.(group) : undefined;
    const states = state === undefined ? [] : [{ filter: link.alias, group, state }];
    out.push(this.#from(at + 1, created, { read: 0, created: created.count }, out, states));
  }
}
