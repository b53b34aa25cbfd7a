import type { Clock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { PipelineStatus } from "../api/status.ts";
import { Scanner } from "../json/scanner.ts";
import { FilterChain } from "./chain.ts";
import { fieldsOf } from "./fields.ts";
import { Listeners } from "./listeners.ts";
import { Pipeline } from "./pipeline.ts";
import { Shutdown } from "./shutdown.ts";
import { openStore } from "./store.ts";
import { Taps } from "./taps.ts";

export interface RunOptions {
  readonly telemetry: { readonly emit: Emit; observe(status: () => PipelineStatus): void };
  /** Read everything to its end, then finish. */
  readonly once: boolean;
  readonly clock: Clock;
  readonly version: string;
}

export type RunningPipeline = Pipeline;

/** Opens the data directory and the queue, makes every part, and starts. Throws, with nothing left open, where a part cannot be made. */
export async function startPipeline(config: ResolvedConfig, options: RunOptions): Promise<RunningPipeline> {
  const { clock, version, once } = options;
  const listeners = new Listeners();
  const emit: Emit = (event) => {
    options.telemetry.emit(event);
    listeners.tell(event);
  };
  const shutdown = new Shutdown();
  let pipeline: Pipeline | undefined;
  try {
    const store = await openStore(config.service, { clock, emit, shutdown });
    const fields = new Scanner(fieldsOf(config));
    const chain = new FilterChain([], emit);
    const around = { store, fields, chain, taps: new Taps(), listeners, clock, emit, version, once };
    pipeline = new Pipeline(config, around, shutdown);
    await pipeline.open();
    listeners.opened();
  } catch (error) {
    // Why it cannot start is what counts, not what went wrong in giving up.
    await (pipeline?.release() ?? shutdown.run()).catch(() => {});
    throw error;
  }
  const running = pipeline;
  options.telemetry.observe(() => running.status());
  running.start();
  return running;
}
