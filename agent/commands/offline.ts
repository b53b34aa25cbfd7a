/** What an operator does while no agent runs: with the queue opened as a start opens it, and an audit entry of its own in it. */
import { join } from "node:path";
import { systemClock } from "../api/clock.ts";
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import { OPERATOR_TAG, type OperatorAction, operatorEntry } from "../control/operator.ts";
import { OwnRecords } from "../pipeline/own-records.ts";
import type { Queue } from "../queue/types.ts";
import { operator } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { keysOf } from "./keys.ts";

/** A disk that takes nothing must not keep the operator from making room on it. */
const RECORD_MS = 5_000;

/** The data directory must be locked. */
export async function openOfflineQueue(service: ServiceOptions, emit: Emit): Promise<Queue> {
  const { openQueue } = await import("../queue/queue.ts");
  const { queue } = service;
  return openQueue({
    dir: join(service.data_dir, "queue"),
    maxBytes: queue.max_bytes,
    segmentBytes: queue.segment_bytes,
    reserveBytes: queue.reserve_bytes,
    compression: queue.compression,
    ...keysOf(service),
    clock: systemClock,
    emit,
  });
}

/** Puts the audit entry into the queue, in its reserve where it is full: the next start delivers it. */
export async function record(
  queue: Queue,
  dataDirId: string,
  action: Omit<OperatorAction, "operator">,
  context: CommandContext,
): Promise<void> {
  const now = systemClock.now();
  const entry = operatorEntry({ ...action, operator: { actor: operator(), from: "command" } }, now);
  const batch = new OwnRecords(dataDirId).make(OPERATOR_TAG, entry, now);
  const written = (async () => {
    await queue.append(batch, { read: 0, created: 1, filtered: 0, states: [], urgent: () => true });
    await queue.flush();
    return true;
  })();
  // Closing the queue ends what still waits.
  written.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), RECORD_MS);
  });
  const done = await Promise.race([written, late]).finally(() => clearTimeout(timer));
  if (!done) context.err("warning: the disk takes nothing, so there is no audit entry of this\n");
}
