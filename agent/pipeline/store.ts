import { join } from "node:path";
import type { Clock } from "../api/clock.ts";
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import { decodeKey, type Secret } from "../api/options.ts";
import { type DeadLetters, openDeadLetters } from "../queue/dead-letters.ts";
import { openQueue } from "../queue/queue.ts";
import type { Queue } from "../queue/types.ts";
import { type DataDir, openDataDir } from "../state/data-dir.ts";
import type { Shutdown } from "./shutdown.ts";

/** What outlives every reload. */
export interface Store {
  readonly dataDir: DataDir;
  readonly queue: Queue;
  readonly deadLetters: DeadLetters;
}

/** Opens all of it, and tells `shutdown` how to close it. */
export async function openStore(
  service: ServiceOptions,
  { clock, emit, shutdown }: { readonly clock: Clock; readonly emit: Emit; readonly shutdown: Shutdown },
): Promise<Store> {
  const key = service.queue.encrypt && service.queue.key ? keyOf(service.queue.key) : undefined;
  const previousKeys = service.queue.previous_keys.map(keyOf);
  const dataDir = await openDataDir(service.data_dir, { ...(service.node ? { node: service.node } : {}), clock, emit });
  shutdown.last(() => dataDir.close());
  const common = { reserve: dataDir.reserve, key, previousKeys, clock, emit };
  const queue = await openQueue({
    dir: join(dataDir.path, "queue"),
    maxBytes: service.queue.max_bytes,
    segmentBytes: service.queue.segment_bytes,
    reserveBytes: service.queue.reserve_bytes,
    compression: service.queue.compression,
    ...common,
  });
  shutdown.last(() => queue.close());
  const deadLetters = await openDeadLetters({
    dir: join(dataDir.path, "dead-letters"),
    maxBytes: service.dead_letters.max_bytes,
    maxAge: service.dead_letters.max_age,
    ...common,
  });
  shutdown.last(() => deadLetters.close());
  return { dataDir, queue, deadLetters };
}

function keyOf(secret: Secret): Buffer {
  const key = decodeKey(secret.reveal());
  if (!key) throw new Error("service.queue.key: must be 32 bytes, as 64 hex digits or base64");
  return key;
}
