import { discreet } from "../api/discreet.ts";
import type { AgentEvent, ComponentState } from "../api/events.ts";
import type { ComponentStatus, OutputStatus, PipelineStatus } from "../api/status.ts";
import { imbalance, type Ledger } from "../api/status.ts";
import { span } from "./describe.ts";

export type ComponentKind = Extract<AgentEvent, { is: "component" }>["kind"];

/** As answered by GET /health. Times are ISO 8601, ages seconds. */
export interface Health {
  readonly status: "ok" | "degraded" | "failed";
  /** Started: inputs read, whether or not a destination can be reached. */
  readonly ready: boolean;
  readonly version: string;
  readonly uptime_seconds: number;
  /** Why the status is not ok, each a sentence a person can act on. Empty when ok. */
  readonly problems: readonly string[];
  readonly components: readonly ComponentHealth[];
  readonly outputs: readonly OutputHealth[];
  readonly queue: { readonly bytes: number; readonly max_bytes: number; readonly oldest_seconds: number } | null;
  readonly dead_letters: { readonly records: number; readonly bytes: number } | null;
  /** Vanished from files before it could be read, in the last 30 days; in no output's ledger. */
  readonly lost_at_input_bytes: number;
  /** Backlogs of outputs no longer configured. They are no fault, but they take room. */
  readonly orphans: readonly { readonly alias: string; readonly records: number; readonly bytes: number }[];
}

export interface ComponentHealth {
  readonly kind: ComponentKind;
  readonly name: string;
  readonly state: ComponentState;
  readonly since: string;
  readonly reason: string | null;
}

export interface OutputHealth {
  readonly name: string;
  /** Records wait, and for a minute none was settled. */
  readonly stalled: boolean;
  readonly backlog: { readonly records: number; readonly bytes: number; readonly oldest_seconds: number };
  readonly ledger: Ledger;
  /** 0 when the ledger balances. */
  readonly imbalance: number;
}

/** The last state told by an event, for parts the pipeline's status does not have, and before there is a status. */
export interface ToldState {
  readonly kind: ComponentKind;
  readonly name: string;
  readonly state: ComponentState;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
}

/** A lane with a backlog that settled nothing for so long is not ok, whatever it says of itself. */
const STALL_MS = 60_000;

/** Puts together what the parts say of themselves and what their numbers say. `now` is milliseconds since the epoch. */
export function health(
  status: PipelineStatus | undefined,
  told: readonly ToldState[],
  options: { now: number; startedAt: number; version: string },
): Health {
  const { now, version } = options;
  const outputs = (status?.outputs ?? []).map((o) => outputHealth(o, status!.startedAt, now));
  const components = componentsOf(status, told, now);
  const problems: string[] = [];
  for (const { kind, name, state, reason, since } of components) {
    if (state !== "blocked" && state !== "failed" && state !== "degraded") continue;
    const part = kind === name ? kind : `${kind.replace("_", " ")} ${name}`;
    problems.push(`${part}: ${state} since ${since}: ${reason ?? "no reason given"}`);
  }
  for (const { name, stalled, backlog } of outputs) {
    if (!stalled) continue;
    const oldest = span(backlog.oldest_seconds * 1000);
    problems.push(`output ${name} settles nothing: ${backlog.records} records wait, the oldest for ${oldest}`);
  }
  const failed = components.some(({ state }) => state === "failed");
  return {
    status: failed ? "failed" : problems.length > 0 ? "degraded" : "ok",
    ready: status !== undefined && !status.inputs.some(({ state }) => state === "starting"),
    version,
    uptime_seconds: seconds(now - (status?.startedAt ?? options.startedAt)),
    problems,
    components,
    outputs,
    queue: status
      ? { bytes: status.queue.bytes, max_bytes: status.queue.maxBytes, oldest_seconds: age(status.queue.oldest, now) }
      : null,
    dead_letters: status?.deadLetters ?? null,
    lost_at_input_bytes: status?.lostAtInputBytes ?? 0,
    orphans: status?.orphans ?? [],
  };
}

function componentsOf(status: PipelineStatus | undefined, told: readonly ToldState[], now: number): ComponentHealth[] {
  const components: ComponentHealth[] = [];
  const known = new Set<string>();
  const add = (kind: ComponentKind, name: string, state: ComponentState, since: number, reason: string | undefined) => {
    known.add(`${kind} ${name}`);
    components.push({
      kind,
      name,
      state,
      since: new Date(since).toISOString(),
      reason: reason === undefined ? null : discreet(reason),
    });
  };
  if (status) {
    const of = (kind: ComponentKind, parts: readonly ComponentStatus[]) => {
      for (const { alias, state, since, reason } of parts) add(kind, alias, state, since, reason);
    };
    of("input", status.inputs);
    of("filter", status.filters);
    const {
      state,
      reason,
      since = told.find(({ kind }) => kind === "queue")?.since ?? status.startedAt,
    } = status.queue;
    add("queue", "queue", state, since, reason);
    of("output", status.outputs);
  }
  for (const { kind, name, state, since, reason } of told) {
    // The status is the truth of what it has; there is one queue, whatever name an event gave it.
    if (known.has(`${kind} ${name}`) || (status && kind === "queue")) continue;
    // A part of an earlier configuration says nothing about this one.
    if (status && kind !== "dead_letters") continue;
    add(kind, name, state, Math.min(since, now), reason);
  }
  return components;
}

function outputHealth(output: OutputStatus, startedAt: number, now: number): OutputHealth {
  const { alias, backlog, ledger, lastProgress } = output;
  // Only what waited since the start, since the last progress and since it was written counts as no progress.
  const waitingSince = Math.max(lastProgress ?? 0, backlog.oldest ?? 0, startedAt);
  return {
    name: alias,
    stalled: backlog.records > 0 && now - waitingSince > STALL_MS + (output.waitsMs ?? 0),
    backlog: { records: backlog.records, bytes: backlog.bytes, oldest_seconds: age(backlog.oldest, now) },
    ledger,
    imbalance: imbalance(ledger),
  };
}

/** Seconds since a time; 0 without one, and where the clock was set back. */
export function age(time: number | undefined, now: number): number {
  return time === undefined ? 0 : seconds(now - time);
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms) / 1000);
}
