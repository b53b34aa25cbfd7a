import type { FieldReader } from "./batch.ts";
import type { Clock } from "./clock.ts";
import type { Emit } from "./events.ts";

/** What every plugin gets from the agent. */
export interface PluginContext {
  /** The name under which the pipeline, logs, metrics and the queue know this part. */
  readonly alias: string;
  /** `service.node`: the host's stable name. */
  readonly node: string;
  /** The agent's own version. */
  readonly version: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface InputContext extends PluginContext {
  readonly tag: string;
  /** Random id of the data directory: with it inputs without files make stable record ids. */
  readonly dataDirId: string;
  /** Positions stored in the queue, by key, as this input gave them. Empty at first start. */
  readonly positions: ReadonlyMap<string, string>;
  /** Read everything to its end, then finish (`run --once`). */
  readonly once: boolean;
  /** Tells of everything that happens to the agent, from now on; answers how to end that. */
  events?(listener: Emit): () => void;
}

export interface FilterContext extends PluginContext {
  readonly fields: FieldReader;
}

export interface OutputContext extends PluginContext {
  readonly fields: FieldReader;
}
