import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/splunk-hec/index.ts";
import { batchOf } from "../contract/records.ts";

/** The splunk_hec output with these options, as an agent on `host-1` makes it, with the token `t` unless they say else. */
export async function splunkOutput(options: Record<string, unknown>): Promise<Output> {
  const parsed = definition.options.parse({ token: "t", ...options });
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const clock = { now: () => Date.UTC(2026, 1, 1), monotonic: () => performance.now() };
  const context = { alias: "splunk", node: "host-1", version: "1.2.3", clock, fields, emit: () => undefined };
  return (await definition.create(parsed, context)) as Output;
}

/** Writes these lines once. */
export function writeLines(
  out: Output,
  lines: readonly string[],
  signal = new AbortController().signal,
): Promise<WriteResult> {
  return out.write([batchOf(lines)], { id: "plan", repeat: false }, signal);
}
