/** How long log groups keep their events, as the service says; for those not made yet, as they will be made. */
import type { OutputContext } from "../../agent/api/context.ts";
import type { Keeping } from "../../agent/api/plugin.ts";
import { type CloudwatchOptions, retentionOf } from "./options.ts";
import { LogService } from "./service.ts";

export async function keepings(
  options: CloudwatchOptions,
  context: OutputContext,
  signal: AbortSignal,
): Promise<readonly Keeping[]> {
  const { log_group, auto_create } = options;
  const service = new LogService(options, context);
  try {
    const prefix = log_group.replace(/[%$].*$/s, "");
    const groups = (await service.groups(prefix, signal)).filter(({ name }) => prefix !== log_group || name === prefix);
    if (groups.length === 0 && auto_create) {
      return [{ by: `the log group ${log_group}, not made yet`, days: retentionOf(options) ?? null }];
    }
    return groups.map(({ name, days }) => ({ by: `the log group ${name}`, days: days ?? null }));
  } finally {
    await service.close();
  }
}
