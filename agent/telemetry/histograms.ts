/** How the values of a measure are spread, as plain numbers until somebody asks for /metrics. */
interface HistogramInfo {
  readonly help: string;
  readonly labels: readonly [string];
  /** Upper bounds, ascending; whatever is above the last counts under `+Inf` alone. */
  readonly buckets: readonly number[];
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every histogram, without the `audit_agent_` in front. Labels hold aliases, never paths. */
export const HISTOGRAMS = {
  write_records: {
    help: "Records stored by one write.",
    labels: ["output"],
    buckets: [1, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000],
  },
  write_bytes: {
    help: "Bytes of the records stored by one write.",
    labels: ["output"],
    buckets: [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB],
  },
  write_duration_seconds: {
    help: "Time a write that stored records took.",
    labels: ["output"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
} as const satisfies Record<string, HistogramInfo>;

export type HistogramName = keyof typeof HISTOGRAMS;

export interface Spread {
  readonly label: string;
  /** Values in each bucket alone, not in those below. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** As of the counters: a bound against surprises. */
const MAX_SERIES = 500;

export class Histograms {
  readonly #series = new Map<HistogramName, Map<string, { counts: number[]; count: number; sum: number }>>();

  observe(name: HistogramName, value: number, label: string): void {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) return;
    const buckets: readonly number[] = HISTOGRAMS[name].buckets;
    const spread = this.#of(name, label, buckets.length);
    spread.count++;
    spread.sum += value;
    for (let i = 0; i < buckets.length; i++) {
      if (value > buckets[i]!) continue;
      spread.counts[i]!++;
      return;
    }
  }

  *series(name: HistogramName): Iterable<Spread> {
    for (const [label, spread] of this.#series.get(name) ?? []) yield { label, ...spread };
  }

  #of(name: HistogramName, label: string, buckets: number) {
    let series = this.#series.get(name);
    if (!series) {
      series = new Map();
      this.#series.set(name, series);
    }
    const key = series.has(label) || series.size < MAX_SERIES ? label : "other";
    let spread = series.get(key);
    if (!spread) {
      spread = { counts: new Array<number>(buckets).fill(0), count: 0, sum: 0 };
      series.set(key, spread);
    }
    return spread;
  }
}
