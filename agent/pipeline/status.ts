import type { PipelineStatus } from "../api/status.ts";
import type { Orphan } from "../queue/types.ts";
import type { Pipeline } from "./pipeline.ts";

export function statusOf(
  { around, feeds, links, lanes }: Pick<Pipeline, "around" | "feeds" | "links" | "lanes">,
  startedAt: number,
  orphans: readonly Orphan[],
): PipelineStatus {
  const { store, clock } = around;
  const { bytes, maxBytes, segments, oldest, blocked } = store.queue.stats();
  const inputs = [...feeds.values()].map(({ part }) => part);
  return {
    startedAt,
    inputs: inputs.map((feed) => feed.status()),
    filters: [...links.values()].map(({ config: { alias, definition, match }, part: { filter } }) => ({
      alias,
      match,
      plugin: definition.name,
      state: "ok",
      since: startedAt,
      reason: undefined,
      ...filter.status?.(),
    })),
    outputs: [...lanes.values()].map(({ part }) => part.status()),
    queue: {
      state: blocked ? "blocked" : "ok",
      since: blocked && clock.now() - (clock.monotonic() - blocked.since),
      reason: blocked?.why,
      bytes,
      maxBytes,
      segments,
      oldest,
    },
    orphans,
    deadLetters: store.deadLetters.stats(),
    lostAtInputBytes: inputs.reduce((sum, feed) => sum + feed.lostBytes(), 0),
  };
}
