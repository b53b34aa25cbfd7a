import { systemClock } from "../../agent/api/clock.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/syslog/index.ts";
import { batchOf } from "../contract/records.ts";

/** The syslog output with these options, as an agent on `node-1` makes it; to 127.0.0.1 over TCP unless they say else. */
export async function syslogOutput(options: Record<string, unknown>): Promise<Output> {
  const parsed = definition.options.parse({ protocol: "tcp", host: "127.0.0.1", ...options });
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const context = { alias: "s", node: "node-1", version: "0", clock: systemClock, fields, emit: () => undefined };
  return (await definition.create(parsed, context)) as Output;
}

/** Writes these lines once, as the lane does; `limitMs` is the lane's time-out. */
export function writeLines(out: Output, lines: readonly string[], limitMs = 10_000): Promise<WriteResult> {
  return out.write([batchOf(lines)], { id: "p", repeat: false }, AbortSignal.timeout(limitMs));
}
