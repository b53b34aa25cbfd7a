/** What the log says at one point of it: source positions, filter states, totals. The log is the only truth; this is its sum. */
import type { RecordBatch } from "../api/batch.ts";
import { routeOf } from "../api/route.ts";
import type { AppendExtra, TagTotals } from "./types.ts";

/** What one block adds. Cumulative numbers are made of these. */
export interface Delta {
  /** The route; see `api/route.ts`. */
  readonly tag: string;
  readonly input: string;
  /** Of the positions, `null` forgets. */
  readonly positions: readonly (readonly [key: string, value: string | null])[];
  readonly states: readonly (readonly [filter: string, group: string, state: Uint8Array])[];
  readonly read: number;
  readonly created: number;
  readonly filtered: number;
  readonly records: number;
  readonly bytes: number;
}

export function deltaOf(batch: RecordBatch, extra: AppendExtra): Delta {
  return {
    tag: routeOf(batch),
    input: batch.source.input,
    positions: batch.positions.map(({ key, value }) => [key, value] as const),
    states: extra.states.map(({ filter, group, state }) => [filter, group, state] as const),
    read: extra.read,
    created: extra.created,
    filtered: extra.filtered,
    records: batch.count,
    bytes: batch.size(),
  };
}

/** Cumulative numbers of a tag, as `BatchMeta` and `SnapshotMeta` store them. */
export type TotalsRow = [read: number, created: number, filtered: number, appended: number, bytes: number];

export type TotalsRows = readonly (readonly [tag: string, row: TotalsRow])[];

/** So many tags have their totals in every block; with more, a damaged block's loss may be known only at the next block of its tag. */
const FEW_TAGS = 16;

export class Totals implements TagTotals {
  read = 0;
  created = 0;
  filtered = 0;
  appended = 0;
  /** Bytes of the appended records. */
  bytes = 0;

  row(): TotalsRow {
    return [this.read, this.created, this.filtered, this.appended, this.bytes];
  }

  set(row: Readonly<TotalsRow>): void {
    [this.read, this.created, this.filtered, this.appended, this.bytes] = row;
  }
}

export class QueueState {
  readonly positions = new Map<string, Map<string, string>>();
  readonly states = new Map<string, Map<string, Uint8Array>>();
  readonly totals = new Map<string, Totals>();

  /** Totals as they will be after this block: of its own tag, and of all others while they are few. */
  after(delta: Delta): TotalsRows {
    const now = this.totals.get(delta.tag)?.row() ?? [0, 0, 0, 0, 0];
    const own: TotalsRow = [
      now[0] + delta.read,
      now[1] + delta.created,
      now[2] + delta.filtered,
      now[3] + delta.records,
      now[4] + delta.bytes,
    ];
    const rows: [string, TotalsRow][] = [[delta.tag, own]];
    if (this.totals.size > FEW_TAGS) return rows;
    for (const [tag, totals] of this.totals) if (tag !== delta.tag) rows.push([tag, totals.row()]);
    return rows;
  }

  /** Takes a block in; `rows` is what it says of totals. */
  apply(delta: Pick<Delta, "input" | "positions" | "states">, rows: TotalsRows): void {
    if (delta.positions.length > 0) {
      const ofInput = entry(this.positions, delta.input, () => new Map<string, string>());
      for (const [key, value] of delta.positions) {
        if (value === null) ofInput.delete(key);
        else ofInput.set(key, value);
      }
    }
    for (const [filter, group, state] of delta.states) {
      entry(this.states, filter, () => new Map<string, Uint8Array>()).set(group, state);
    }
    this.restoreTotals(rows);
  }

  /** Everything but the totals, as a snapshot stores it. */
  serialize(): Buffer {
    const positions = [...this.positions].map(([input, keys]) => [input, [...keys]]);
    const states = [...this.states].map(([filter, groups]) => [
      filter,
      [...groups].map(([group, state]) => [group, Buffer.from(state).toString("base64")]),
    ]);
    return Buffer.from(JSON.stringify({ positions, states }));
  }

  restore(snapshot: Buffer): void {
    const value = JSON.parse(snapshot.toString()) as {
      positions: [string, [string, string][]][];
      states: [string, [string, string][]][];
    };
    for (const [input, keys] of value.positions) this.positions.set(input, new Map(keys));
    for (const [filter, groups] of value.states) {
      this.states.set(filter, new Map(groups.map(([group, state]) => [group, Buffer.from(state, "base64")])));
    }
  }

  restoreTotals(rows: TotalsRows): void {
    for (const [tag, row] of rows) entry(this.totals, tag, () => new Totals()).set(row);
  }

  totalRows(): [string, TotalsRow][] {
    return [...this.totals].map(([tag, totals]) => [tag, totals.row()]);
  }

  /** A copy that later blocks do not change. */
  clone(): QueueState {
    const copy = new QueueState();
    for (const [input, keys] of this.positions) copy.positions.set(input, new Map(keys));
    for (const [filter, groups] of this.states) copy.states.set(filter, new Map(groups));
    copy.restoreTotals(this.totalRows());
    return copy;
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
