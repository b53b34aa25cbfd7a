import type { RecordBatch } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { Emit } from "../../agent/api/events.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { ByteWriter } from "../../outputs/shared/writer.ts";
import definition from "../../outputs/syslog/index.ts";
import { MessageBuilder } from "../../outputs/syslog/message.ts";
import { type SyslogOptions, syslogOptions } from "../../outputs/syslog/options.ts";
import { batchOf } from "../contract/records.ts";

/** The syslog output with these options, as an agent on `node-1` makes it; to 127.0.0.1 over TCP unless they say else. */
export async function syslogOutput(options: Record<string, unknown>, clock = systemClock): Promise<Output> {
  const parsed = definition.options.parse({ protocol: "tcp", host: "127.0.0.1", ...options });
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const context = { alias: "s", node: "node-1", version: "0", clock, fields, emit: () => undefined };
  return (await definition.create(parsed, context)) as Output;
}

/** Writes these lines once, as the lane does; `limitMs` is the lane's time-out. */
export function writeLines(out: Output, lines: readonly string[], limitMs = 10_000): Promise<WriteResult> {
  return out.write([batchOf(lines)], { id: "p", repeat: false }, AbortSignal.timeout(limitMs));
}

/** The message of each record, without framing, or why there is none. */
export function buildMessages(
  options: Record<string, unknown>,
  batch: RecordBatch,
  emit: Emit = () => undefined,
): (string | Buffer)[] {
  const parsed = syslogOptions.parse({ host: "h", ...options }) as SyslogOptions;
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const builder = new MessageBuilder(parsed, { node: "node-1", fields, emit, alias: "s" });
  return Array.from({ length: batch.count }, (_, i) => {
    const writer = new ByteWriter();
    return builder.write(batch, i, writer) ?? Buffer.from(writer.view());
  });
}
