/**
 * Samples of the last hour, for a page that was opened just now. 720 of them: 8 bytes for each time, 12 KB for each input, 17 KB for each
 * output; parts that come and go with reloads are bounded, so that it never takes more than 4 MB.
 */

import type { Clock } from "../api/clock.ts";
import type { HistoryView } from "../api/operate.ts";
import type { PipelineStatus } from "../api/status.ts";
import { age } from "./health.ts";
import type { CounterReader } from "./view.ts";

const INTERVAL_MS = 5_000;
const SAMPLES = 720;
/** A pipeline has a few dozen parts. More than these are not followed until others are an hour gone. */
const MOST_PARTS = 100;

interface HistoryOptions {
  readonly clock: Clock;
  /** undefined before there is a pipeline. */
  readonly status: () => PipelineStatus | undefined;
  readonly counter: CounterReader;
}

export interface History {
  /** From now on it samples. May be called again. */
  start(): void;
  view(): HistoryView;
  close(): void;
}

export function createHistory({ clock, status, counter }: HistoryOptions): History {
  const times = new Series();
  const inputs = new Parts(["read", "lag"]);
  const outputs = new Parts(["delivered", "backlog", "oldest_seconds"]);
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  /** How many samples there were; the next one stands at this place of the ring. */
  let taken = 0;

  const sample = () => {
    const now = status();
    times.set(taken, Math.round(clock.now() / 1000));
    inputs.begin(taken);
    outputs.begin(taken);
    for (const { alias, lag } of now?.inputs ?? []) {
      inputs.take(alias, taken, [counter("read_records", alias), lag ? Math.round(lag.ms) / 1000 : Number.NaN]);
    }
    for (const { alias, backlog } of now?.outputs ?? []) {
      const delivered = counter("delivered_records", alias);
      outputs.take(alias, taken, [delivered, backlog.records, age(backlog.oldest, clock.now())]);
    }
    taken++;
  };
  const turn = () => {
    try {
      sample();
    } catch {
      // A part that cannot say how it is now does so later.
    }
    if (!closed) timer = setTimeout(turn, INTERVAL_MS).unref();
  };

  return {
    start() {
      if (!timer && !closed) turn();
    },
    view() {
      const last = (series: Series) => series.last(taken);
      return {
        interval_seconds: INTERVAL_MS / 1000,
        times: last(times) as number[],
        read: inputs.view((of) => last(of.read!)),
        lag: inputs.view((of) => last(of.lag!)),
        outputs: outputs.view((of) => ({
          delivered: last(of.delivered!),
          backlog: last(of.backlog!),
          oldest_seconds: last(of.oldest_seconds!),
        })),
      };
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** A ring of numbers. */
class Series {
  readonly #values = new Float64Array(SAMPLES).fill(Number.NaN);

  set(at: number, value: number): void {
    this.#values[at % SAMPLES] = value;
  }

  /** The samples up to the `taken`th, oldest first. */
  last(taken: number): (number | null)[] {
    const values: (number | null)[] = [];
    for (let at = Math.max(0, taken - SAMPLES); at < taken; at++) {
      const value = this.#values[at % SAMPLES]!;
      values.push(Number.isNaN(value) ? null : value);
    }
    return values;
  }
}

type SeriesOf = Readonly<Record<string, Series>>;

/** Series of parts by their alias. */
class Parts {
  readonly #members: readonly string[];
  readonly #parts = new Map<string, { readonly series: SeriesOf; seen: number }>();

  constructor(members: readonly string[]) {
    this.#members = members;
  }

  /** Whoever is not there has no value. Forgets those of whom the ring has none any more. */
  begin(at: number): void {
    for (const [alias, { series, seen }] of this.#parts) {
      if (at - seen >= SAMPLES) this.#parts.delete(alias);
      else for (const each of Object.values(series)) each.set(at, Number.NaN);
    }
  }

  take(alias: string, at: number, values: readonly number[]): void {
    const part = this.#parts.get(alias) ?? this.#make(alias);
    if (!part) return;
    part.seen = at;
    for (const [i, member] of this.#members.entries()) part.series[member]!.set(at, values[i]!);
  }

  view<T>(make: (series: SeriesOf) => T): Record<string, T> {
    return Object.fromEntries([...this.#parts].map(([alias, { series }]) => [alias, make(series)]));
  }

  #make(alias: string): { readonly series: SeriesOf; seen: number } | undefined {
    if (this.#parts.size >= MOST_PARTS) return undefined;
    const series = Object.fromEntries(this.#members.map((member) => [member, new Series()]));
    const part = { series, seen: 0 };
    this.#parts.set(alias, part);
    return part;
  }
}
