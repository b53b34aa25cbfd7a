import type { Writable } from "node:stream";
import type { Clock } from "../api/clock.ts";
import { discreetly } from "../api/discreet.ts";
import type { AgentEvent, Emit } from "../api/events.ts";
import type { LogView } from "../api/operate.ts";
import type { PipelineStatus } from "../api/status.ts";
import { count } from "./count.ts";
import { type CounterName, Counters } from "./counters.ts";
import { levelOf } from "./describe.ts";
import { type Health, health, type ToldState } from "./health.ts";
import { Histograms } from "./histograms.ts";
import { createLog, type LogOptions } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { Recent } from "./recent.ts";

export type { Health } from "./health.ts";

export interface TelemetryOptions {
  readonly level: LogOptions["level"];
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format: LogOptions["format"];
  readonly clock: Clock;
  /** Where the log goes; standard error by default. */
  readonly destination?: Writable & { readonly isTTY?: boolean };
  readonly version: string;
}

export interface Telemetry {
  /** Logs and counts. Throws nothing. */
  readonly emit: Emit;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  health(): Health;
  /** Of the series whose first labels have these values, in the order of `COUNTERS`: `counter("retries", "es")` is of all reasons. */
  counter(name: CounterName, ...labels: string[]): number;
  /** The last lines of the log of level info and above, oldest first, whatever level is written. */
  recent(): LogView[];
  /** Tells of each further one; answers how to end that. */
  subscribe(listener: (line: LogView) => void): () => void;
  /** Tells where to ask for the pipeline's status, from now on; the agent counts as started. */
  observe(status: () => PipelineStatus): void;
  /** Writes what the log still held back. */
  close(): Promise<void>;
}

/** States that events may tell of at most so many parts; a pipeline has a few dozen. */
const MAX_TOLD = 1000;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { clock, version } = options;
  const recent = new Recent();
  const log = createLog({ ...options, destination: options.destination ?? process.stderr, recent });
  const counters = new Counters();
  const histograms = new Histograms();
  const told = new Map<string, ToldState>();
  const startedAt = clock.now();
  let status: (() => PipelineStatus) | undefined;
  let registry: Promise<Metrics> | undefined;

  const remember = ({ kind, name, state, reason }: Extract<AgentEvent, { is: "component" }>) => {
    const key = `${kind} ${name}`;
    const before = told.get(key);
    const since = before?.state === state ? before.since : clock.now();
    if (before || told.size < MAX_TOLD) told.set(key, { kind, name, state, since, reason });
  };
  const healthOf = (now: PipelineStatus | undefined) =>
    health(now, [...told.values()], { now: clock.now(), startedAt, version });

  return {
    emit(happened) {
      const event = discreetly(happened);
      count(counters, event, histograms);
      const level = levelOf(event);
      if (level === "warn") counters.add("log_warnings", 1);
      if (level === "error") counters.add("log_errors", 1);
      if (event.is === "component") remember(event);
      log.write(event);
    },
    async metrics() {
      registry ??= import("./metrics.ts").then(({ Metrics }) => new Metrics());
      const metrics = await registry;
      const now = status?.();
      return metrics.text(counters, histograms, { status: now, health: healthOf(now), version });
    },
    health: () => healthOf(status?.()),
    counter: (name, ...labels) => counters.value(name, ...labels),
    recent: () => recent.lines(),
    subscribe: (listener) => recent.subscribe(listener),
    observe(source) {
      status = source;
    },
    async close() {
      log.close();
    },
  };
}
