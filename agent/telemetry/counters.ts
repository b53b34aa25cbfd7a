/**
 * Plain numbers behind the metrics. prom-client is only imported when somebody asks for /metrics, so an agent nobody scrapes does not pay
 * for it; the same numbers are handed to it then.
 */
interface CounterInfo {
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every counter, without the `audit_agent_` in front and the `_total` behind. Labels hold aliases and closed classes, never paths. */
export const COUNTERS = {
  read_records: { help: "Records read by an input.", labels: ["input"] },
  read_bytes: { help: "Bytes read by an input.", labels: ["input"] },
  created_records: { help: "Records the agent made itself.", labels: ["by"] },
  filtered_records: { help: "Records dropped by a filter, as configured.", labels: ["filter"] },
  chain_verified_entries: { help: "Entries whose place in their hash chain was verified.", labels: ["filter"] },
  chain_unchained_lines: { help: "Lines before the first entry with a hash.", labels: ["filter"] },
  chain_breaks: { help: "Places where a hash chain does not hold. Alert on any increase.", labels: ["filter", "kind"] },
  parse_error_records: {
    help: "Lines that were not what the parser expects; shipped all the same.",
    labels: ["input"],
  },
  cut_lines: { help: "Lines above max_line_bytes, shipped cut.", labels: ["input"] },
  file_changes: { help: "What happened to the files of an input.", labels: ["input", "change"] },
  delivered_records: { help: "Records stored at the destination.", labels: ["output"] },
  delivered_bytes: { help: "Bytes of the records stored at the destination.", labels: ["output"] },
  repeated_records: { help: "Delivered records the destination already had.", labels: ["output"] },
  key_conflicts: { help: "Objects whose key other content had.", labels: ["output"] },
  rejected_records: { help: "Records kept as dead letters.", labels: ["output", "reason"] },
  lost_records: { help: "Records given up. Alert on any increase.", labels: ["where", "name"] },
  lost_bytes: { help: "Bytes given up. Alert on any increase.", labels: ["where", "name"] },
  retries: { help: "Writes to be tried again.", labels: ["output", "reason"] },
  reloads: { help: "Configurations taken, or refused.", labels: ["result"] },
  operator_actions: { help: "What operators had the agent do.", labels: ["action"] },
  moved_additions: { help: "Records whose additions went to agent_metadata.", labels: ["output"] },
  queue_damaged: { help: "Damaged parts of the queue that were set aside.", labels: [] },
  queue_torn: { help: "Unfinished ends of the queue cut at a start.", labels: [] },
  queue_full: { help: "Times the queue became full.", labels: [] },
  queue_waited_seconds: { help: "Time inputs waited for room in the queue.", labels: [] },
  disk_errors: { help: "Errors of the disk.", labels: ["code"] },
  orphans_discarded_records: { help: "Records of removed outputs that were discarded.", labels: [] },
  log_warnings: { help: "Warnings in the log, suppressed ones included.", labels: [] },
  log_errors: { help: "Errors in the log, suppressed ones included.", labels: [] },
} as const satisfies Record<string, CounterInfo>;

export type CounterName = keyof typeof COUNTERS;

/** So many label combinations per counter; what comes after them counts under `other`. A bound against surprises, never met in practice. */
const MAX_SERIES = 500;
const SEPARATOR = "\u0000";

export class Counters {
  readonly #values = new Map<CounterName, Map<string, number>>();

  /** Adds `by` to the series with these label values, given in the order of `COUNTERS[name].labels`. A counter only grows. */
  add(name: CounterName, by: number, a?: string, b?: string): void {
    if (!(by >= 0)) return;
    let series = this.#values.get(name);
    if (!series) {
      series = new Map();
      this.#values.set(name, series);
    }
    const key = b === undefined ? (a ?? "") : `${a}${SEPARATOR}${b}`;
    const known = series.get(key);
    if (known !== undefined) series.set(key, known + by);
    else if (series.size < MAX_SERIES) series.set(key, by);
    else {
      const other = COUNTERS[name].labels.map(() => "other").join(SEPARATOR);
      series.set(other, (series.get(other) ?? 0) + by);
    }
  }

  /** All series of a counter: label values in the order of `COUNTERS[name].labels`, and the value. */
  *series(name: CounterName): Iterable<{ labels: string[]; value: number }> {
    const { labels } = COUNTERS[name];
    for (const [key, value] of this.#values.get(name) ?? []) {
      yield { labels: labels.length === 0 ? [] : key.split(SEPARATOR), value };
    }
  }

  /** Sum over the series whose first labels have these values: of all labels one series, of none all of them. */
  value(name: CounterName, ...labels: string[]): number {
    const series = this.#values.get(name);
    if (!series) return 0;
    if (labels.length === COUNTERS[name].labels.length) return series.get(labels.join(SEPARATOR)) ?? 0;
    const head = labels.map((label) => label + SEPARATOR).join("");
    let sum = 0;
    for (const [key, value] of series) if (key.startsWith(head)) sum += value;
    return sum;
  }
}

/** A free reason as one of few words, fit for a label: a server's error type, an HTTP status, an errno, or `other`. */
export function reasonClass(reason: string): string {
  const head = reason.slice(0, 300);
  const type = /\b[a-z]+(?:_[a-z]+)*_(?:exception|error|collision|forbidden|failed|rejected)\b/.exec(head);
  if (type) return type[0].slice(0, 60);
  const errno = /\bE[A-Z]{3,15}\b/.exec(head);
  if (errno) return errno[0].toLowerCase();
  const status = /\b[45]\d\d\b/.exec(head);
  if (status) return `http_${status[0]}`;
  if (/time(?:d[ -]?)?out/i.test(head)) return "timeout";
  return "other";
}
