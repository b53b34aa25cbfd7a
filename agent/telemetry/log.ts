import type { Writable } from "node:stream";
import { pino } from "pino";
import type { Clock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { describe, type Line, levelOf } from "./describe.ts";
import { Limiter } from "./limiter.ts";
import { type PrettyLine, pretty } from "./pretty.ts";
import type { Recent } from "./recent.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  readonly format: "auto" | "pretty" | "json";
  readonly clock: Clock;
  readonly destination: Writable & { readonly isTTY?: boolean };
  /** Is told every line of level info and above, whatever level the log has. */
  readonly recent: Recent;
}

interface Said extends Line {
  readonly event: AgentEvent["is"];
}

export interface Log {
  write(event: AgentEvent): void;
  /** Writes what was held back, as numbers. */
  close(): void;
}

const RANK = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const;
const guarded = new WeakSet<Writable>();

/** The agent's own log: a line for each event worth one, repeats held back and counted. */
export function createLog({ level, format, clock, destination, recent }: LogOptions): Log {
  // A log nobody reads any more (a closed pipe) is no reason to stop shipping.
  if (!guarded.has(destination)) destination.on("error", () => {});
  guarded.add(destination);
  const terminal = destination.isTTY === true;
  const isPretty = format === "pretty" || (format === "auto" && terminal);
  const colours = terminal && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const write = (line: string) => {
    if (!destination.destroyed) destination.write(line);
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: isPretty ? (line: string) => write(pretty(JSON.parse(line) as PrettyLine, colours)) : write },
  );
  const limiter = new Limiter<Said>();
  let timer: NodeJS.Timeout | undefined;

  const lowest = Math.min(RANK[level], RANK.info);
  const say = (said: Said, fields: Record<string, unknown>, message: string) => {
    if (RANK[said.level] >= RANK[level]) logger[said.level](fields, message);
    if (said.level === "debug") return;
    const { level: how, event, component } = said;
    recent.add({ time: new Date(clock.now()).toISOString(), level: how, event, component, message });
  };
  const tell = (now: number) => {
    for (const { item, suppressed } of limiter.drain(now)) {
      const { component, message } = item;
      say(item, { component, suppressed }, `${message} (${suppressed} like this held back)`);
    }
  };
  const arm = () => {
    const due = timer ? undefined : limiter.due(clock.monotonic());
    if (due === undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      tell(clock.monotonic());
      arm();
    }, due + 10).unref();
  };

  return {
    write(event) {
      if (RANK[levelOf(event)] < lowest) return;
      const line = { ...describe(event), event: event.is };
      const suppressed = line.key === undefined ? 0 : limiter.pass(line.key, line, clock.monotonic());
      if (suppressed === undefined) return arm();
      const more = suppressed > 0 ? ` (${suppressed} like this held back before)` : "";
      say(line, fieldsOf(event, line, suppressed), line.message + more);
    },
    close() {
      clearTimeout(timer);
      tell(Number.POSITIVE_INFINITY);
    },
  };
}

/** The event as it is, but for what pino's own members say. */
function fieldsOf(event: AgentEvent, line: Line, suppressed: number): Record<string, unknown> {
  const fields: Record<string, unknown> = { event: event.is, component: line.component };
  for (const [key, value] of Object.entries(event)) {
    if (key === "is" || key === "level" || key === "message" || key === "component") continue;
    // Of jitter, fifteen decimals tell nobody anything.
    fields[key] = key === "delayMs" || key === "ms" ? Math.round(Number(value)) : value;
  }
  if (suppressed > 0) fields.suppressed = suppressed;
  return fields;
}
