/** What of the agent's events is told, and how. */
import { discreetly } from "../../agent/api/discreet.ts";
import type { AgentEvent, ComponentState } from "../../agent/api/events.ts";

export type Level = "info" | "warn" | "error";
export const RANK: Readonly<Record<Level, number>> = { info: 0, warn: 1, error: 2 };

export interface Told {
  readonly level: Level;
  readonly event: string;
  /** What is one story: of each there is one entry at a time. */
  readonly key: string;
  readonly message: string;
  readonly state?: ComponentState;
  readonly fields: Readonly<Record<string, unknown>>;
}

const STATE_LEVEL: Readonly<Partial<Record<ComponentState, Level>>> = {
  ok: "info",
  degraded: "warn",
  blocked: "error",
  failed: "error",
};

/** How an event is told; undefined where it is not. */
export function told(raw: AgentEvent): Told | undefined {
  const event = discreetly(raw);
  switch (event.is) {
    case "component": {
      const { kind, name, state, reason } = event;
      const level = STATE_LEVEL[state];
      if (level === undefined) return undefined;
      const part = kind.replace("_", " ");
      const message = `${kind === name ? part : `${part} ${name}`} is ${state}${reason ? `: ${reason}` : ""}`;
      return { ...of(event, level, `${kind} ${name}`, message), event: `agent.${kind}.${state}`, state };
    }
    case "lost": {
      const what = event.records > 0 ? `${event.records} records` : `${event.bytes} bytes`;
      return of(event, "error", `${event.where} ${event.name}`, `lost ${what} in ${event.where}: ${event.reason}`);
    }
    case "rejected":
      return of(event, "warn", event.output, `${event.output} refused ${event.records} records: ${event.reason}`);
    case "chain_break":
      return of(event, event.level, `${event.filter} ${event.kind}`, `the hash chain does not hold: ${event.kind}`);
    case "queue_full":
      return of(event, "warn", "queue", "the queue is full: inputs wait");
    case "queue_space":
      return of(event, "info", "queue", "the queue has room again");
    case "disk_error":
      return of(event, "error", event.code, `${event.code} at ${event.path}: ${event.reason}`);
    case "queue_damaged":
      return of(event, "error", "queue", `${event.segment} is damaged: ${event.reason}`);
    case "notice":
      return event.level === "error" ? of(event, "error", event.component, event.message) : undefined;
    default:
      return acts(event);
  }
}

/** What people do to the agent. What an operator did is an audit entry of its own already: told at `info` alone. */
function acts(event: AgentEvent): Told | undefined {
  const { is, applied, problems, message } = event as Readonly<Record<string, unknown>>;
  if (is === "operator") return of(event, "info", "", String(message));
  if (is !== "reload") return undefined;
  const troubles = Array.isArray(problems) ? problems.map(String) : [];
  const what = applied === true ? "a new configuration was taken" : "a new configuration was not taken";
  const level = applied === true && troubles.length === 0 ? "info" : "warn";
  return of(event, level, "", [what, ...troubles].join("; "));
}

function of(event: AgentEvent, level: Level, part: string, message: string): Told {
  const { is, ...rest } = event;
  const fields = Object.fromEntries(
    Object.entries(rest).filter(
      ([key, value]) => !TAKEN.has(key) && ["string", "number", "boolean"].includes(typeof value),
    ),
  );
  return { level, event: `agent.${is}`, key: `${is} ${part}`, message, fields };
}

const TAKEN = new Set(["level", "message", "event", "timestamp", "count", "dropped", "worst"]);
