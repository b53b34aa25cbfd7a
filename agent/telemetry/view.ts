/** What GET /api/pipeline answers, of what the parts, the health and the counters say at one moment. */
import { discreet } from "../api/discreet.ts";
import type { ChainGroup, ChainGroups } from "../api/filter.ts";
import type { FileLag } from "../api/input.ts";
import type {
  ChainView,
  FileView,
  FilterView,
  InputView,
  OutputView,
  PartView,
  PipelineView,
  QueueView,
  ReloadReport,
} from "../api/operate.ts";
import type { ComponentStatus, FilterStatus, InputStatus, OutputStatus, PipelineStatus } from "../api/status.ts";
import type { CounterName } from "./counters.ts";
import type { Health, OutputHealth } from "./health.ts";

/** What neither the pipeline nor the counters know. */
export interface About {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly node: string;
  readonly pid: number;
  /** The configuration's path. */
  readonly config: string;
  readonly http: string | null;
  readonly process: PipelineView["process"];
  readonly lastReload: ReloadReport | null;
}

/** Value of a counter: of all series whose first labels are these. */
export type CounterReader = (name: CounterName, ...labels: string[]) => number;

const MOST_FILES = 20;
const MOST_CHAINS = 50;

export function pipelineView(
  status: PipelineStatus,
  health: Health,
  counter: CounterReader,
  about: About,
): PipelineView {
  const outputs = new Map(health.outputs.map((output) => [output.name, output]));
  return {
    time: iso(about.now),
    version: health.version,
    node: about.node,
    pid: about.pid,
    config: about.config,
    http: about.http,
    started_at: iso(status.startedAt),
    status: health.status,
    ready: health.ready,
    problems: health.problems,
    inputs: status.inputs.map((input) => inputView(input, counter)),
    filters: status.filters.map((filter) => filterView(filter, counter)),
    queue: queueView(status, health),
    outputs: status.outputs.map((output) => outputView(output, outputs.get(output.alias), counter)),
    dead_letters: status.deadLetters,
    orphans: status.orphans.map(({ alias, records, bytes }) => ({ alias, records, bytes })),
    lost_at_input_bytes: status.lostAtInputBytes,
    process: about.process,
    last_reload: about.lastReload,
  };
}

function inputView(input: InputStatus, counter: CounterReader): InputView {
  const { alias, tag, lag } = input;
  return {
    ...part(input),
    tag,
    read: { records: counter("read_records", alias), bytes: counter("read_bytes", alias) },
    lag: { bytes: lag?.bytes ?? 0, seconds: seconds(lag?.ms ?? 0), files: lag?.followed ?? 0 },
    files: (lag?.files ?? []).slice(0, MOST_FILES).map(fileView),
  };
}

function fileView({ path, size, offset, bytes, ms, deleted }: FileLag): FileView {
  return { path, size, offset, lag_bytes: bytes, lag_seconds: seconds(ms), deleted };
}

function filterView(filter: FilterStatus, counter: CounterReader): FilterView {
  const { alias, match, chains } = filter;
  return {
    ...part(filter),
    match: match ?? [],
    filtered: counter("filtered_records", alias),
    created: counter("created_records", alias),
    chains: chains ? chainsView(chains) : null,
  };
}

function chainsView({ count, verified, breaks, groups }: ChainGroups): FilterView["chains"] {
  return { count, verified, breaks, groups: groups(MOST_CHAINS).map(chainView) };
}

function chainView({ group, scheme, state, entries, breaks, tip, active, last }: ChainGroup): ChainView {
  const broken = last && {
    kind: last.kind,
    explanation: last.words,
    path: last.path ?? null,
    offset: last.offset,
    at: iso(last.at),
  };
  return { group, scheme, state, entries, breaks, tip, active_at: iso(active), last_break: broken ?? null };
}

function queueView({ queue, startedAt }: PipelineStatus, health: Health): QueueView {
  const known = health.components.find(({ kind }) => kind === "queue");
  return {
    state: queue.state,
    since: known?.since ?? iso(queue.since ?? startedAt),
    reason: queue.reason ?? null,
    bytes: queue.bytes,
    max_bytes: queue.maxBytes,
    segments: queue.segments,
    oldest_seconds: health.queue?.oldest_seconds ?? 0,
  };
}

function outputView(output: OutputStatus, health: OutputHealth | undefined, counter: CounterReader): OutputView {
  const { alias, match, guarantee, paused, backlog, inFlight, ledger, lastProgress } = output;
  return {
    ...part(output),
    match: match ?? [],
    guarantee: guarantee ?? "",
    paused: paused ?? false,
    stalled: health?.stalled ?? false,
    backlog: health?.backlog ?? { records: backlog.records, bytes: backlog.bytes, oldest_seconds: 0 },
    in_flight: inFlight,
    ledger,
    imbalance: health?.imbalance ?? 0,
    delivered_bytes: counter("delivered_bytes", alias),
    retries: counter("retries", alias),
    last_progress: lastProgress === undefined ? null : iso(lastProgress),
    waits_seconds: seconds(output.waitsMs ?? 0),
  };
}

function part({ alias, plugin, state, since, reason }: ComponentStatus): PartView {
  return { alias, plugin, state, since: iso(since), reason: reason === undefined ? null : discreet(reason) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
