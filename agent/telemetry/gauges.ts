/** Every gauge, without the `audit_agent_` in front: set anew at each scrape. `file` is the one label that holds paths, of at most 20 files. */
export const GAUGES = {
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
export type GaugeName = keyof typeof GAUGES;

/** Of the process, by the names that every Prometheus client gives them. */
export const PROCESS = {
  process_cpu_seconds_total: ["counter", "User and system CPU time, in seconds."],
  process_resident_memory_bytes: ["gauge", "Resident memory, in bytes."],
  process_start_time_seconds: ["gauge", "Start of the process, in seconds since the epoch."],
} as const satisfies Record<string, readonly ["counter" | "gauge", string]>;
