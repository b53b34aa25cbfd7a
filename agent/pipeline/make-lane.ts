import { createHash } from "node:crypto";
import type { FieldReader } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { ResolvedOutput } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import { parseDuration } from "../api/options.ts";
import { defaultsOf, isObjects } from "../api/plugin.ts";
import { routeMatcher } from "../api/route.ts";
import type { DeadLetters } from "../queue/dead-letters.ts";
import type { Place, Queue, QueueReader } from "../queue/types.ts";
import type { Lane, LaneParts } from "./lane.ts";
import { LaneHealth } from "./lane-health.ts";
import { LaneLedger, type StoredLedger } from "./lane-ledger.ts";
import { ObjectLane } from "./object-lane.ts";
import type { StoredObjects } from "./object-plan.ts";
import { StreamLane } from "./stream-lane.ts";

export interface LaneEnvironment {
  readonly queue: Queue;
  readonly deadLetters: DeadLetters;
  readonly fields: FieldReader;
  readonly node: string;
  readonly version: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

export const DEFAULT_LINGER = "100ms";
export const DEFAULT_TIMEOUT = "30s";

/** Opens an output's cursor and puts the lane around the output. */
export async function makeLane(output: ResolvedOutput, env: LaneEnvironment): Promise<Lane> {
  const opened: { reader?: QueueReader } = {};
  try {
    return await laneFor(output, env, opened);
  } catch (error) {
    await opened.reader?.close();
    throw error;
  }
}

async function laneFor(output: ResolvedOutput, env: LaneEnvironment, opened: { reader?: QueueReader }): Promise<Lane> {
  const { definition, alias, common, match } = output;
  const matches = routeMatcher(match, alias);
  let lane: Lane | undefined;
  let ledger: LaneLedger | undefined;
  let gone = 0;
  const reader = await env.queue.openReader({
    alias,
    match: matches,
    patterns: match,
    start: common.queue.start,
    onFull: common.queue.on_full,
    onDrop: (to: Place) => lane?.drop(to),
    onMissing: ({ seq, records, bytes, reason }) => {
      if (ledger) ledger.missing(seq, records);
      else gone += records;
      env.emit({ is: "lost", where: "queue", name: alias, records, bytes, reason });
    },
  });
  opened.reader = reader;
  const stored = reader.data as { ledger?: StoredLedger; skipping?: boolean } | undefined;
  ledger = new LaneLedger(() => env.queue.totals(), match, matches, reader, stored?.ledger, gone);
  if (stored?.skipping) {
    const records = ledger.absorb();
    env.emit({
      is: "lost",
      where: "output",
      name: alias,
      records,
      bytes: 0,
      reason: "queue full, on_full: drop_oldest",
    });
  }
  const health = new LaneHealth(alias, env.clock, env.emit, common.retry);
  const defaults = defaultsOf(definition, output.options);
  const parts: LaneParts = {
    alias,
    plugin: definition.name,
    reader,
    deadLetters: env.deadLetters,
    health,
    ledger,
    clock: env.clock,
    emit: env.emit,
    timeoutMs: common.timeout ?? parseDuration(defaults.timeout ?? DEFAULT_TIMEOUT)!,
    maxAgeMs: common.queue.max_age,
    waitsMs: isObjects(definition)
      ? definition.assemble(output.options).ageMs
      : (common.batch.linger ?? parseDuration(defaults.linger ?? DEFAULT_LINGER)!),
    match,
    guarantee: definition.guarantee(output.options),
  };
  const context = { alias, node: env.node, version: env.version, clock: env.clock, emit: env.emit, fields: env.fields };
  if (isObjects(definition)) {
    const assemble = definition.assemble(output.options);
    const decisive = JSON.stringify([definition.name, env.node, match, output.options]);
    const options = createHash("sha256").update(decisive).digest("base64url").slice(0, 16);
    const made = await definition.create(output.options, context);
    const { attempts } = common.retry;
    lane = new ObjectLane(parts, made, { assemble, options, attempts }, reader.data as StoredObjects | undefined);
  } else {
    // The alias may have belonged to an output that writes objects: what that settled beyond the cursor is unknown here.
    if (ledger.ahead !== 0) ledger.forgetAhead();
    const made = await definition.create(output.options, context);
    const { limits } = definition;
    const { batch } = common;
    lane = new StreamLane(parts, made, {
      limits: {
        records: Math.min(batch.records ?? limits.records, limits.records),
        bytes: Math.min(batch.bytes ?? limits.bytes, limits.bytes),
        overhead: limits.overhead,
        linger: parts.waitsMs,
      },
      concurrency: common.concurrency ?? defaults.concurrency ?? 1,
      attempts: common.retry.attempts,
    });
  }
  return lane;
}
