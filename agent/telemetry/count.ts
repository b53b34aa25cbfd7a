import type { AgentEvent } from "../api/events.ts";
import { type Counters, reasonClass } from "./counters.ts";
import type { Histograms } from "./histograms.ts";

type Rule<Event> = (counters: Counters, event: Event, histograms: Histograms) => void;
type Rules = { readonly [K in AgentEvent["is"]]: Rule<Extract<AgentEvent, { is: K }>> };

/** Which counters each event moves. Runs for every event, so it does no more than add. */
const RULES: Rules = {
  read(counters, { input, records, bytes }) {
    counters.add("read_records", records, input);
    counters.add("read_bytes", bytes, input);
  },
  created: (counters, { by, records }) => counters.add("created_records", records, by),
  filtered: (counters, { filter, records }) => counters.add("filtered_records", records, filter),
  chain(counters, { filter, verified, unchained }) {
    counters.add("chain_verified_entries", verified, filter);
    counters.add("chain_unchained_lines", unchained, filter);
  },
  chain_break: (counters, { filter, kind }) => counters.add("chain_breaks", 1, filter, kind),
  parse_error: (counters, { input, records }) => counters.add("parse_error_records", records, input),
  line_cut: (counters, { input }) => counters.add("cut_lines", 1, input),
  file: (counters, { input, change }) => counters.add("file_changes", 1, input, change),
  delivered(counters, { output, records, bytes, ms }, histograms) {
    counters.add("delivered_records", records, output);
    counters.add("delivered_bytes", bytes, output);
    histograms.observe("write_records", records, output);
    histograms.observe("write_bytes", bytes, output);
    histograms.observe("write_duration_seconds", ms / 1000, output);
  },
  key_conflict: (counters, { output }) => counters.add("key_conflicts", 1, output),
  repeated: (counters, { output, records }) => counters.add("repeated_records", records, output),
  rejected: (counters, { output, records, reason }) =>
    counters.add("rejected_records", records, output, reasonClass(reason)),
  lost(counters, { where, name, records, bytes }) {
    counters.add("lost_records", records, where, name);
    counters.add("lost_bytes", bytes, where, name);
  },
  retry: (counters, { output, reason }) => counters.add("retries", 1, output, reasonClass(reason)),
  addition_moved: (counters, { output, records }) => counters.add("moved_additions", records, output),
  queue_damaged: (counters) => counters.add("queue_damaged", 1),
  queue_torn: (counters) => counters.add("queue_torn", 1),
  queue_full: (counters) => counters.add("queue_full", 1),
  queue_space: (counters, { waitedMs }) => counters.add("queue_waited_seconds", waitedMs / 1000),
  disk_error: (counters, { code }) => counters.add("disk_errors", 1, code),
  orphan(counters, { records, discarded }) {
    if (discarded) counters.add("orphans_discarded_records", records);
  },
  // A state is a gauge, read from the pipeline at each scrape; a notice is for people.
  component() {},
  notice() {},
  reload: (counters, { applied }) => counters.add("reloads", 1, applied ? "applied" : "refused"),
  operator: (counters, { action }) => counters.add("operator_actions", 1, action),
};

/** Moves the counters and histograms of an event. */
export function count(counters: Counters, event: AgentEvent, histograms: Histograms): void {
  // The rule found under `event.is` takes that very event; the compiler cannot follow the pairing.
  (RULES[event.is] as Rule<AgentEvent>)(counters, event, histograms);
}
