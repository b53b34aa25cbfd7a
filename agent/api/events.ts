/**
 * Everything that can happen, as a closed list. Emitting one writes the log line and moves the counters (`agent/telemetry`);
 * nothing else does. A record leaves the agent only through `delivered`, `filtered`, `rejected` or `lost`.
 */
export type ComponentState = "starting" | "ok" | "degraded" | "blocked" | "failed" | "stopped";

/** What happened to a file that somebody may want to know of. */
export type FileChange =
  | "found"
  | "finished"
  | "renamed"
  | "deleted"
  | "truncated"
  | "rolled_back"
  | "late"
  | "skipped"
  | "refused"
  | "unreadable"
  | "readable"
  | "ended_early";

export type AgentEvent =
  | { is: "read"; input: string; records: number; bytes: number }
  /** Records an input or filter made itself. */
  | { is: "created"; by: string; records: number; reason: string }
  | { is: "filtered"; filter: string; records: number }
  /** Entries whose place in their hash chain was verified, and lines before a log's first entry with a hash. */
  | { is: "chain"; filter: string; verified: number; unchained: number }
  /** A hash chain does not hold: a kind of break (docs/decisions/0011), or `unverifiable`. */
  | {
      is: "chain_break";
      filter: string;
      group: string;
      kind: string;
      level: "warn" | "error";
      offset: number;
      path?: string;
    }
  | { is: "parse_error"; input: string; records: number; reason: string; path?: string; offset?: number }
  | { is: "line_cut"; input: string; path: string; offset: number; length: number }
  /** A file was met or changed; `reason` says why where that matters. */
  | { is: "file"; input: string; path: string; change: FileChange; reason?: string; bytes?: number }
  | { is: "delivered"; output: string; records: number; bytes: number; ms: number }
  /** The destination already had them: part of `delivered`, said for the curious. */
  | { is: "repeated"; output: string; records: number }
  /** Kept as dead letters. */
  | { is: "rejected"; output: string; records: number; reason: string }
  /** Gone. Must stay 0 unless somebody configured otherwise; alert on it. `records` is 0 where only bytes are known. */
  | {
      is: "lost";
      where: "input" | "queue" | "output" | "dead_letters";
      name: string;
      records: number;
      bytes: number;
      reason: string;
      path?: string;
      from?: number;
      to?: number;
    }
  | { is: "retry"; output: string; records: number; attempt: number; delayMs: number; reason: string }
  /** Merged under `agent_metadata` because the entry's own member is in the way; `dropped`: of these, left out, as that was taken too. */
  | { is: "addition_moved"; output: string; records: number; dropped?: number }
  /** Other content has the key that an object was to have; it goes to the next one. */
  | { is: "key_conflict"; output: string; key: string; next: string }
  /** A damaged part of the queue was set aside; `records` as far as known. */
  | { is: "queue_damaged"; segment: string; from: number; to: number; reason: string; setAside?: string }
  | { is: "queue_torn"; segment: string; at: number; bytes: number }
  | { is: "queue_full"; bytes: number; maxBytes: number }
  | { is: "queue_space"; waitedMs: number }
  | { is: "disk_error"; path: string; code: string; reason: string }
  | { is: "orphan"; alias: string; records: number; bytes: number; discarded: boolean }
  | {
      is: "component";
      kind: "input" | "filter" | "queue" | "output" | "dead_letters";
      name: string;
      state: ComponentState;
      reason?: string;
    }
  /** A new configuration was taken, or not, and what it changed. */
  | {
      is: "reload";
      applied: boolean;
      by: string;
      changes: readonly { readonly kind: string; readonly name: string; readonly change: string }[];
      kept: number;
      problems: readonly string[];
    }
  /** Somebody had the agent do something; also an audit entry. */
  | { is: "operator"; action: string; actor: string; from: string; message: string }
  /** Anything else worth a line. */
  | { is: "notice"; level: "debug" | "info" | "warn" | "error"; component: string; message: string };

export type Emit = (event: AgentEvent) => void;
