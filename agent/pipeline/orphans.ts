import type { Emit } from "../api/events.ts";
import type { Orphan, Queue } from "../queue/types.ts";

/** Backlogs of outputs that are not configured: told, and kept or given up. */
export async function settleOrphans(queue: Queue, policy: "keep" | "discard", emit: Emit): Promise<readonly Orphan[]> {
  const orphans = await queue.orphans();
  for (const orphan of orphans) {
    const { alias, records, bytes } = orphan;
    emit({ is: "orphan", alias, records, bytes, discarded: policy === "discard" });
    if (policy === "discard") await dropOrphan(queue, orphan, "service.orphans: discard", emit);
  }
  return policy === "discard" ? [] : orphans;
}

/** Gives a backlog up: its records are lost, and counted. */
export async function dropOrphan(
  queue: Queue,
  { alias, records, bytes }: Orphan,
  reason: string,
  emit: Emit,
): Promise<void> {
  await queue.dropOrphan(alias);
  if (records > 0) emit({ is: "lost", where: "queue", name: alias, records, bytes, reason });
}
