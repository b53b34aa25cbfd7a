import type { AgentEvent, ComponentState, FileChange } from "../api/events.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** How an event reads in the log. */
export interface Line {
  readonly level: LogLevel;
  /** Alias or part of the agent the line is about. */
  readonly component: string;
  readonly message: string;
  /** Lines with the same key are one complaint: after the first, only their number is told, about once a minute. Absent: always written. */
  readonly key?: string;
}

const FILE_LEVEL: Readonly<Record<FileChange, LogLevel>> = {
  found: "info",
  finished: "info",
  renamed: "info",
  deleted: "info",
  readable: "info",
  late: "info",
  skipped: "info",
  truncated: "warn",
  rolled_back: "warn",
  refused: "warn",
  unreadable: "warn",
  ended_early: "warn",
};

const FILE_WORDS: Readonly<Record<FileChange, string>> = {
  found: "found",
  finished: "finished",
  renamed: "renamed",
  deleted: "deleted by its writer",
  readable: "can be read again",
  late: "was appended to after it was finished",
  skipped: "skipped",
  truncated: "was truncated",
  rolled_back: "was replaced by other content",
  refused: "refused",
  unreadable: "cannot be read",
  ended_early: "ended in the middle",
};

const STATE_LEVEL: Readonly<Record<ComponentState, LogLevel>> = {
  starting: "debug",
  ok: "info",
  degraded: "warn",
  blocked: "error",
  failed: "error",
  stopped: "debug",
};

/** The level of an event, without making its message: most events are below what is logged. */
export function levelOf(event: AgentEvent): LogLevel {
  switch (event.is) {
    case "read":
    case "created":
    case "filtered":
    case "chain":
    case "delivered":
    case "repeated":
    case "addition_moved":
      return "debug";
    case "queue_space":
    case "operator":
      return "info";
    case "reload":
      return event.applied && event.problems.length === 0 ? "info" : "warn";
    case "parse_error":
    case "line_cut":
    case "rejected":
    case "key_conflict":
    case "retry":
    case "queue_torn":
    case "queue_full":
    case "orphan":
      return "warn";
    case "lost":
    case "queue_damaged":
    case "disk_error":
      return "error";
    case "file":
      return FILE_LEVEL[event.change];
    case "component":
      return STATE_LEVEL[event.state];
    case "notice":
    case "chain_break":
      return event.level;
    default:
      return never(event);
  }
}

/** What the log says of an event. */
export function describe(event: AgentEvent): Line {
  const level = levelOf(event);
  switch (event.is) {
    case "read":
      return { level, component: event.input, message: `read ${records(event.records)}, ${bytes(event.bytes)}` };
    case "created":
      return { level, component: event.by, message: `made ${records(event.records)}: ${event.reason}` };
    case "filtered":
      return { level, component: event.filter, message: `filtered ${records(event.records)}` };
    case "chain":
      return { level, component: event.filter, message: `verified ${records(event.verified)} of hash chains` };
    case "chain_break": {
      const message = `the hash chain does not hold in ${event.path ?? event.group} at ${event.offset}: ${event.kind}`;
      return { level, component: event.filter, message, key: `chain ${event.filter} ${event.kind} ${event.group}` };
    }
    case "parse_error": {
      const at =
        event.path === undefined ? "" : ` (${event.path}${event.offset === undefined ? "" : ` at ${event.offset}`})`;
      // A line that is a brace and nothing more: where pretty-printed objects begin.
      const hint = /^unexpected end at [12]$/.test(event.reason) ? "; pretty-printed JSON? set multiline: json" : "";
      const message = `${records(event.records)} shipped as message with parse_error: ${event.reason}${at}${hint}`;
      return { level, component: event.input, message, key: `parse ${event.input} ${shape(event.reason)}${hint}` };
    }
    case "line_cut": {
      const message = `a line of ${bytes(event.length)} is shipped cut (${event.path} at ${event.offset})`;
      return { level, component: event.input, message, key: `cut ${event.input}` };
    }
    case "file":
      return file(event, level);
    case "delivered": {
      const message = `delivered ${records(event.records)}, ${bytes(event.bytes)}, in ${Math.round(event.ms)} ms`;
      return { level, component: event.output, message };
    }
    case "repeated":
      return { level, component: event.output, message: `already had ${records(event.records)}` };
    case "key_conflict":
      return {
        level,
        component: event.output,
        message: `other content stands under ${event.key}: using ${event.next}`,
      };
    case "rejected": {
      const message = `refused ${records(event.records)} for good, kept as dead letters: ${event.reason}`;
      return { level, component: event.output, message, key: `rejected ${event.output} ${shape(event.reason)}` };
    }
    case "lost":
      return lost(event, level);
    case "retry": {
      const message = `attempt ${event.attempt} failed, next in ${span(event.delayMs)}: ${event.reason}`;
      return { level, component: event.output, message, key: `retry ${event.output} ${shape(event.reason)}` };
    }
    case "addition_moved": {
      const message = `additions of ${records(event.records)} went to agent_metadata`;
      return { level, component: event.output, message, key: `moved ${event.output}` };
    }
    case "queue_damaged": {
      const aside = event.setAside === undefined ? "" : `, set aside in ${event.setAside}`;
      const message = `${event.segment} is damaged from ${event.from} to ${event.to}${aside}: ${event.reason}`;
      return { level, component: "queue", message };
    }
    case "queue_torn": {
      const message = `an unfinished write of ${bytes(event.bytes)} was cut from ${event.segment} at ${event.at}`;
      return { level, component: "queue", message };
    }
    case "queue_full": {
      const message = `full (${bytes(event.bytes)} of ${bytes(event.maxBytes)}): inputs wait`;
      return { level, component: "queue", message, key: "queue full" };
    }
    case "queue_space": {
      const message = `has room again after ${span(event.waitedMs)}`;
      return { level, component: "queue", message, key: "queue space" };
    }
    case "disk_error": {
      const message = `${event.code} at ${event.path}: ${event.reason}`;
      return { level, component: "disk", message, key: `disk ${event.code} ${event.path}` };
    }
    case "orphan":
      return orphan(event, level);
    case "component": {
      const why = event.reason === undefined ? "" : `: ${event.reason}`;
      return { level, component: event.name, message: `is ${event.state}${why}` };
    }
    case "reload":
      return { level, component: "agent", message: reload(event) };
    case "operator":
      return { level, component: "operator", message: `${event.actor} (${event.from}) ${event.message}` };
    case "notice":
      return { level, component: event.component, message: event.message };
    default:
      return never(event);
  }
}

type Of<K extends AgentEvent["is"]> = Extract<AgentEvent, { is: K }>;

function file(event: Of<"file">, level: LogLevel): Line {
  const size = event.bytes === undefined ? "" : ` (${bytes(event.bytes)})`;
  const why = event.reason === undefined ? "" : `: ${event.reason}`;
  const message = `${event.path} ${FILE_WORDS[event.change]}${size}${why}`;
  // Each trouble with a file has its own line; a directory of a thousand good ones is one complaint about nothing.
  const key =
    level === "warn"
      ? `file ${event.input} ${event.change} ${event.path}${shape(why)}`
      : `file ${event.input} ${event.change}`;
  return { level, component: event.input, message, key };
}

function lost(event: Of<"lost">, level: LogLevel): Line {
  const what = event.records > 0 ? records(event.records) : bytes(event.bytes);
  const range = event.from === undefined ? "" : ` from ${event.from} to ${event.to ?? "its end"}`;
  const where = event.path === undefined ? "" : ` (${event.path}${range})`;
  const message = `lost ${what} in ${event.where}: ${event.reason}${where}`;
  return {
    level,
    component: event.name,
    message,
    key: `lost ${event.where} ${event.name} ${event.path ?? ""} ${shape(event.reason)}`,
  };
}

function orphan(event: Of<"orphan">, level: LogLevel): Line {
  const held = `${records(event.records)} (${bytes(event.bytes)})`;
  const message = event.discarded
    ? `is no longer configured; its ${held} were discarded`
    : `is no longer configured; its ${held} stay in the queue until \`audit-agent queue drop ${event.alias}\``;
  return { level, component: event.alias, message };
}

function reload({ applied, by, changes, kept, problems }: Of<"reload">): string {
  const why = problems.length === 0 ? "" : `: ${problems.join("; ")}`;
  if (!applied) return `reload by ${by}: nothing was changed${why}`;
  const what = changes.map(({ kind, name, change }) => `${kind} ${name} ${change}`).join(", ");
  return `reload by ${by}: ${what === "" ? "nothing is different" : what}; ${kept} parts go on as they were${why}`;
}

function never(event: never): never {
  throw new Error(`unknown event ${JSON.stringify(event)}`);
}

/** The same complaint about another line or offset has the same shape. */
function shape(reason: string): string {
  return reason.slice(0, 200).replace(/\d+/g, "#");
}

function records(n: number): string {
  return n === 1 ? "1 record" : `${n.toLocaleString("en-US")} records`;
}

/** Bytes for people, in powers of 1024. */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = n / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Milliseconds for people. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
