/** What a running agent might say of itself, for the live page's tests. */
import type {
  ChainView,
  HistoryView,
  InputView,
  LetterView,
  OutputView,
  PipelineView,
} from "../../agent/api/operate.ts";
import { imbalance, type Ledger } from "../../agent/api/status.ts";

/** A view that a test changes, a part at a time. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Part)[] ? Writable<Part>[] : T[K] };
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The agent's start in all of these. */
export const STARTED = "2026-02-12T07:20:00.000Z";
export const NOON = Date.parse("2026-02-12T10:32:00.000Z");

export function ledgerOf(ledger: Partial<Ledger>): Ledger {
  return { read: 0, created: 0, filtered: 0, delivered: 0, rejected: 0, lost: 0, queued: 0, ...ledger };
}

export function outputView(alias: string, more: Partial<OutputView> = {}): OutputView {
  const ledger = more.ledger ?? ledgerOf({ read: 8_412_209, filtered: 1_204_000, delivered: 7_208_209 });
  return {
    alias,
    plugin: alias,
    state: "ok",
    since: STARTED,
    reason: null,
    match: ["audit.*"],
    guarantee: "at-least-once",
    paused: false,
    stalled: false,
    backlog: { records: 0, bytes: 0, oldest_seconds: 0 },
    in_flight: 0,
    delivered_bytes: 3_373_000_000,
    retries: 0,
    last_progress: new Date(NOON).toISOString(),
    ...more,
    ledger,
    imbalance: imbalance(ledger),
  };
}

export function inputView(alias: string, more: Partial<InputView> = {}): InputView {
  const path = `/var/log/${alias}/audit-2026-02-12.jsonl`;
  return {
    alias,
    plugin: "tail",
    state: "ok",
    since: STARTED,
    reason: null,
    tag: `audit.${alias}`,
    read: { records: 4_206_104, bytes: 1_968_000_000 },
    lag: { bytes: 0, seconds: 0, files: 14 },
    files: [{ path, size: 88_400_112, offset: 88_400_112, lag_bytes: 0, lag_seconds: 0, deleted: false }],
    ...more,
  };
}

export function chainView(group: string, more: Partial<ChainView> = {}): ChainView {
  return {
    group,
    scheme: "dashboard",
    state: "intact",
    entries: 4_206_104,
    breaks: 0,
    tip: "9f2c41d07be85a6314cc0d9e27b8aa51f6de0347719b22c8405ee1937ad6c0f4",
    active_at: new Date(NOON).toISOString(),
    last_break: null,
    ...more,
  };
}

/** Two inputs, four filters, five outputs; all is well. */
export function wellView(): PipelineView {
  const part = { state: "ok", since: STARTED, reason: null, match: ["*"], created: 0 } as const;
  return {
    time: new Date(NOON).toISOString(),
    version: "0.1.0",
    node: "26.10.0",
    pid: 4711,
    config: "/etc/audit-agent/pipeline.yaml",
    started_at: STARTED,
    status: "ok",
    ready: true,
    problems: [],
    inputs: [
      inputView("dashboard"),
      inputView("agent", { plugin: "agent_audit", lag: { bytes: 0, seconds: 0, files: 1 } }),
    ],
    filters: [
      {
        ...part,
        alias: "chain",
        plugin: "chain",
        filtered: 0,
        chains: {
          count: 2,
          verified: 8_412_208,
          breaks: 0,
          groups: [
            chainView("/var/log/dashboard/audit-*.jsonl"),
            chainView("/var/log/agent/agent-audit.jsonl", { scheme: "agent" }),
          ],
        },
      },
      { ...part, alias: "level", plugin: "level", filtered: 802_114, chains: null },
      { ...part, alias: "exclude_events", plugin: "exclude_events", filtered: 401_886, chains: null },
      { ...part, alias: "metadata", plugin: "metadata", filtered: 0, chains: null },
    ],
    queue: {
      state: "ok",
      since: STARTED,
      reason: null,
      bytes: 67_108_864,
      max_bytes: 10_000_000_000,
      segments: 2,
      oldest_seconds: 41,
    },
    outputs: [
      outputView("elasticsearch", { guarantee: "exactly-once" }),
      outputView("s3", {
        guarantee: "exactly-once",
        waits_seconds: 300,
        ledger: ledgerOf({ read: 8_412_209, filtered: 1_204_000, delivered: 7_189_768, queued: 18_441 }),
        backlog: { records: 18_441, bytes: 8_630_388, oldest_seconds: 41 },
      }),
      outputView("splunk_hec"),
      outputView("cloudwatch_logs"),
      outputView("syslog", { guarantee: "best-effort" }),
    ],
    dead_letters: { records: 0, bytes: 0 },
    orphans: [],
    lost_at_input_bytes: 0,
    process: { cpu_seconds: 412.4, resident_bytes: 142_000_000 },
    last_reload: null,
  };
}

/** An hour at five seconds. */
export function historyOf(
  view: PipelineView,
  wave = (i: number) => 1 + 0.25 * Math.sin(i / 110) + 0.06 * Math.sin(i / 17) + 0.04 * Math.sin(i * 12.9898),
): HistoryView {
  const samples = 720;
  const end = Date.parse(view.time) / 1000;
  const times = Array.from({ length: samples }, (_, i) => end - 5 * (samples - i));
  const counted = (perSecond: number) => {
    let sum = 0;
    return times.map((_, i) => {
      sum += 5 * perSecond * wave(i);
      return Math.round(sum);
    });
  };
  return {
    interval_seconds: 5,
    times,
    read: Object.fromEntries(view.inputs.map(({ alias }, i) => [alias, counted(900 / (i + 1))])),
    lag: Object.fromEntries(view.inputs.map(({ alias }) => [alias, times.map(() => 0)])),
    outputs: Object.fromEntries(
      view.outputs.map(({ alias }, k) => [
        alias,
        {
          delivered: counted(1200 - 70 * k),
          backlog: times.map((_, i) => (alias === "s3" ? (i % 60) * 320 : Math.round(40 * wave(i)))),
          oldest_seconds: times.map((_, i) => (alias === "s3" ? (i % 60) * 5 : 0.4 * wave(i))),
        },
      ]),
    ),
  };
}

export function letterView(n: number, more: Partial<LetterView> = {}): LetterView {
  return {
    id: `Zk3vQ8-${n}`,
    output: "elasticsearch",
    time: new Date(NOON - n * 61_000).toISOString(),
    reason: 'mapper_parsing_exception: failed to parse field [details.port] of type [long]: For input string: "n/a"',
    attempts: 1,
    tag: "audit.dashboard",
    path: "/var/log/dashboard/audit-2026-02-12.jsonl",
    offset: 88_112_004 + 468 * n,
    original: `{"timestamp":"2026-02-12T10:30:0${n % 10}Z","level":"info","event":"config.changed","actor":"user-${n}","details":{"port":"n/a"}}`,
    encoding: "utf8",
    ...more,
  };
}
