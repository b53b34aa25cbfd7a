import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ComponentState } from "../api/events.ts";
import type { InputLag } from "../api/input.ts";
import { imbalance, type PipelineStatus } from "../api/status.ts";
import { COUNTERS, type CounterName, type Counters } from "./counters.ts";
import { GAUGES, type GaugeName, PROCESS } from "./gauges.ts";
import type { ComponentHealth, Health } from "./health.ts";
import { HISTOGRAMS, type HistogramName, type Histograms } from "./histograms.ts";
import { METRICS_PREFIX as PREFIX } from "./names.ts";

const STATES: readonly ComponentState[] = ["starting", "ok", "degraded", "blocked", "failed", "stopped"];
const LEDGER_MEMBERS = ["read", "created", "filtered", "delivered", "rejected", "lost", "queued"] as const;

/** What a scrape sees, all of one moment. */
export interface Snapshot {
  readonly status: PipelineStatus | undefined;
  readonly health: Health;
  readonly version: string;
}

/**
 * The registry of /metrics: filled anew at every scrape from plain numbers. This file, and prom-client with it, is imported at the first.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<CounterName, Counter>();
  readonly #gauges = new Map<GaugeName, Gauge>();
  #histograms: Histograms | undefined;

  constructor() {
    const registers = [this.#registry];
    for (const name of Object.keys(COUNTERS) as CounterName[]) {
      const { help, labels } = COUNTERS[name];
      this.#counters.set(name, new Counter({ name: `${PREFIX}${name}_total`, help, labelNames: labels, registers }));
    }
    for (const name of Object.keys(GAUGES) as GaugeName[]) {
      const [help, labels] = GAUGES[name];
      this.#gauges.set(name, new Gauge({ name: PREFIX + name, help, labelNames: labels, registers }));
    }
    for (const name of Object.keys(HISTOGRAMS) as HistogramName[]) new Spreads(name, () => this.#histograms, registers);
    // prom-client's own default metrics start a GC observer and an event loop histogram; these three are what dashboards use.
    processMetrics(registers);
  }

  async text(counters: Counters, histograms: Histograms, snapshot: Snapshot): Promise<string> {
    this.#registry.resetMetrics();
    this.#histograms = histograms;
    for (const [name, counter] of this.#counters) {
      const { labels } = COUNTERS[name];
      for (const series of counters.series(name)) counter.inc(labelled(labels, series.labels), series.value);
    }
    this.#fill(snapshot);
    return this.#registry.metrics();
  }

  #set(name: GaugeName, value: number, ...values: string[]): void {
    this.#gauges.get(name)!.set(labelled(GAUGES[name][1], values), value);
  }

  #fill({ status, health, version }: Snapshot): void {
    this.#set("build_info", 1, version);
    this.#set("up", health.status === "ok" ? 1 : 0);
    for (const component of health.components) this.#state(component);
    for (const { name, stalled, backlog, ledger } of health.outputs) {
      this.#set("output_stalled", stalled ? 1 : 0, name);
      for (const member of LEDGER_MEMBERS) this.#set("ledger_records", ledger[member], name, member);
      this.#set("ledger_imbalance_records", imbalance(ledger), name);
      this.#set("backlog_records", backlog.records, name);
      this.#set("backlog_bytes", backlog.bytes, name);
      this.#set("backlog_oldest_seconds", backlog.oldest_seconds, name);
    }
    if (!status) return;
    for (const { alias, lag } of status.inputs) if (lag) this.#lag(alias, lag);
    for (const { alias, chains } of status.filters) if (chains) this.#set("chains", chains.count, alias);
    for (const { alias, inFlight } of status.outputs) this.#set("in_flight_writes", inFlight, alias);
    this.#set("queue_bytes", status.queue.bytes);
    this.#set("queue_max_bytes", status.queue.maxBytes);
    this.#set("queue_segments", status.queue.segments);
    this.#set("queue_oldest_seconds", health.queue?.oldest_seconds ?? 0);
    this.#set("dead_letters_records", status.deadLetters.records);
    this.#set("dead_letters_bytes", status.deadLetters.bytes);
    for (const { alias, records, bytes } of status.orphans) {
      this.#set("orphan_records", records, alias);
      this.#set("orphan_bytes", bytes, alias);
    }
    this.#set("lost_at_input_bytes", status.lostAtInputBytes);
  }

  #lag(input: string, { followed, bytes, ms, files }: InputLag): void {
    this.#set("input_files", followed, input);
    this.#set("input_lag_bytes", bytes, input);
    this.#set("input_lag_seconds", ms / 1000, input);
    // A deleted file and the one that took its name may both be behind.
    const paths = new Map<string, { bytes: number; ms: number }>();
    for (const { path, bytes, ms } of files) {
      const before = paths.get(path) ?? { bytes: 0, ms: 0 };
      paths.set(path, { bytes: before.bytes + bytes, ms: Math.max(before.ms, ms) });
    }
    for (const [path, { bytes, ms }] of paths) {
      this.#set("file_lag_bytes", bytes, input, path);
      this.#set("file_lag_seconds", ms / 1000, input, path);
    }
  }

  #state({ kind, name, state }: ComponentHealth): void {
    for (const each of STATES) this.#set("component_state", each === state ? 1 : 0, kind, name, each);
  }
}

/** prom-client's own histogram can only be told one value after the other; this one tells what was counted already. */
class Spreads extends Histogram {
  readonly #name: HistogramName;
  readonly #from: () => Histograms | undefined;

  constructor(name: HistogramName, from: () => Histograms | undefined, registers: Registry[]) {
    const { help, labels, buckets } = HISTOGRAMS[name];
    super({ name: PREFIX + name, help, labelNames: labels, buckets: [...buckets], registers });
    this.#name = name;
    this.#from = from;
  }

  /** What the registry asks for where it is there, instead of `get`. */
  async getForPromString() {
    const name = PREFIX + this.#name;
    const { help, buckets } = HISTOGRAMS[this.#name];
    const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    for (const { label: output, counts, count, sum } of this.#from()?.series(this.#name) ?? []) {
      let below = 0;
      for (const [i, le] of buckets.entries()) {
        below += counts[i]!;
        values.push({ metricName: `${name}_bucket`, labels: { le, output }, value: below });
      }
      values.push({ metricName: `${name}_bucket`, labels: { le: "+Inf", output }, value: count });
      values.push({ metricName: `${name}_sum`, labels: { output }, value: sum });
      values.push({ metricName: `${name}_count`, labels: { output }, value: count });
    }
    return { name, help, type: "histogram", values };
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [i, name] of names.entries()) labels[name] = values[i] ?? "";
  return labels;
}

function processMetrics(registers: Registry[]): void {
  const named = (name: keyof typeof PROCESS) => ({ name, help: PROCESS[name][1] });
  new Counter({
    ...named("process_cpu_seconds_total"),
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    ...named("process_resident_memory_bytes"),
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    ...named("process_start_time_seconds"),
    registers,
    collect() {
      this.set(performance.timeOrigin / 1000);
    },
  });
}
