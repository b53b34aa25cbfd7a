import { Counter, Gauge, Registry } from "prom-client";
import type { ComponentState } from "../api/events.ts";
import type { InputLag } from "../api/input.ts";
import { imbalance, type PipelineStatus } from "../api/status.ts";
import { COUNTERS, type CounterName, type Counters } from "./counters.ts";
import type { ComponentHealth, Health } from "./health.ts";

const PREFIX = "audit_agent_";
const STATES: readonly ComponentState[] = ["starting", "ok", "degraded", "blocked", "failed", "stopped"];
const LEDGER_MEMBERS = ["read", "created", "filtered", "delivered", "rejected", "lost", "queued"] as const;

/** What a scrape sees, all of one moment. */
export interface Snapshot {
  readonly status: PipelineStatus | undefined;
  readonly health: Health;
  readonly version: string;
}

const GAUGES = {
  build_info: ["The agent's version.", ["version"]],
  up: ["1 while /health is ok, else 0.", []],
  component_state: ["1 for the state a component is in.", ["kind", "name", "state"]],
  output_stalled: ["1 while records wait and none is settled for a minute.", ["output"]],
  ledger_records: ["read + created = filtered + delivered + rejected + lost + queued.", ["output", "member"]],
  ledger_imbalance_records: ["0 when the ledger balances.", ["output"]],
  input_lag_bytes: ["Bytes of an input's files that have no place in the queue yet.", ["input"]],
  input_lag_seconds: ["For how long the oldest of them are known to be there.", ["input"]],
  input_files: ["Files an input follows.", ["input"]],
  file_lag_bytes: [
    "The same bytes of one file: of the 20 furthest behind, then of those read last.",
    ["input", "file"],
  ],
  file_lag_seconds: ["For how long the oldest of them are known to be there.", ["input", "file"]],
  chains: ["Hash chains a filter follows.", ["filter"]],
  backlog_records: ["Records in the queue that an output has not settled.", ["output"]],
  backlog_bytes: ["Bytes in the queue that an output has not settled.", ["output"]],
  backlog_oldest_seconds: ["How long the oldest of them waits.", ["output"]],
  in_flight_writes: ["Writes under way.", ["output"]],
  queue_bytes: ["Bytes of the queue on disk.", []],
  queue_max_bytes: ["The most the queue may take.", []],
  queue_segments: ["Segment files of the queue.", []],
  queue_oldest_seconds: ["Age of the oldest block some output still needs.", []],
  dead_letters_records: ["Dead letters kept.", []],
  dead_letters_bytes: ["Bytes of the dead letters kept.", []],
  orphan_records: ["Backlog of an output that is no longer configured.", ["output"]],
  orphan_bytes: ["The same in bytes.", ["output"]],
  lost_at_input_bytes: ["Bytes that vanished from sources before they could be read, in the last 30 days.", []],
} as const satisfies Record<string, readonly [string, readonly string[]]>;
type GaugeName = keyof typeof GAUGES;

/**
 * The registry of /metrics: filled anew at every scrape from plain numbers. This file, and prom-client with it, is imported at the first.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<CounterName, Counter>();
  readonly #gauges = new Map<GaugeName, Gauge>();

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
    // prom-client's own default metrics start a GC observer and an event loop histogram; these three are what dashboards use.
    processMetrics(registers);
  }

  async text(counters: Counters, snapshot: Snapshot): Promise<string> {
    this.#registry.resetMetrics();
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

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [i, name] of names.entries()) labels[name] = values[i] ?? "";
  return labels;
}

function processMetrics(registers: Registry[]): void {
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time, in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory, in bytes.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of the process, in seconds since the epoch.",
    registers,
    collect() {
      this.set(performance.timeOrigin / 1000);
    },
  });
}
