import type { ResolvedOutput } from "../api/config.ts";
import type { OutputContext } from "../api/context.ts";
import { messageOf } from "./lane.ts";

/** How long a destination may take to answer, where the output's own `timeout` is not shorter. Milliseconds. */
const PROBE_MS = 10_000;

/** Makes the output, asks its destination whether it would take entries, and closes it again. Undefined where it would; else why not. */
export async function probeOutput(
  { definition, options, common }: ResolvedOutput,
  context: OutputContext,
): Promise<string | undefined> {
  const limit = Math.min(common.timeout ?? PROBE_MS, PROBE_MS);
  const stop = new AbortController();
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => {
    stop.abort();
    late.resolve(`no answer within ${limit / 1000} s`);
  }, limit);
  const asked = (async () => {
    const output = await definition.create(options, context);
    try {
      await output.probe(stop.signal);
      return undefined;
    } finally {
      await output.close();
    }
  })().catch((error: unknown) => messageOf(error));
  return Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
}
