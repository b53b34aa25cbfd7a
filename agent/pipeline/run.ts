import { join } from "node:path";
import type { Clock } from "../api/clock.ts";
import { type ResolvedConfig, tagMatcher } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import { decodeKey, type Secret } from "../api/options.ts";
import type { PipelineStatus } from "../api/status.ts";
import { Scanner } from "../json/scanner.ts";
import { openDeadLetters } from "../queue/dead-letters.ts";
import { openQueue } from "../queue/queue.ts";
import { openDataDir } from "../state/data-dir.ts";
import { type ChainLink, FilterChain } from "./chain.ts";
import { Feed } from "./feed.ts";
import { fieldsOf } from "./fields.ts";
import { type Lane, messageOf } from "./lane.ts";
import { makeLane } from "./make-lane.ts";
import { Shutdown } from "./shutdown.ts";
import { LONGEST_TIMER_MS } from "./waiting.ts";

export interface RunOptions {
  readonly telemetry: { readonly emit: Emit; observe(status: () => PipelineStatus): void };
  /** Read everything to its end, then finish. */
  readonly once: boolean;
  readonly clock: Clock;
  readonly version: string;
}

export interface RunningPipeline {
  /** Resolves when all inputs have ended and everything is settled. Rejects never. */
  readonly done: Promise<void>;
  /** Some input failed for good. */
  readonly failed: boolean;
  status(): PipelineStatus;
  /** Last sweep, queue fsynced, lanes a bounded time, cursors stored. May be called more than once. */
  stop(): Promise<void>;
}

/** Opens the data directory and the queue, makes every part, and starts. Throws, with nothing left open, where a part cannot be made. */
export async function startPipeline(config: ResolvedConfig, options: RunOptions): Promise<RunningPipeline> {
  const { clock, version, once } = options;
  const { service } = config;
  const emit: Emit = (event) => options.telemetry.emit(event);
  const shutdown = new Shutdown();
  try {
    const key = service.queue.encrypt && service.queue.key ? keyOf(service.queue.key) : undefined;
    const previousKeys = service.queue.previous_keys.map(keyOf);
    const dataDir = await openDataDir(service.data_dir, {
      ...(service.node ? { node: service.node } : {}),
      clock,
      emit,
    });
    shutdown.last(() => dataDir.close());
    const queue = await openQueue({
      dir: join(dataDir.path, "queue"),
      maxBytes: service.queue.max_bytes,
      segmentBytes: service.queue.segment_bytes,
      reserveBytes: service.queue.reserve_bytes,
      compression: service.queue.compression,
      reserve: dataDir.reserve,
      key,
      previousKeys,
      clock,
      emit,
    });
    shutdown.last(() => queue.close());
    const deadLetters = await openDeadLetters({
      dir: join(dataDir.path, "dead-letters"),
      maxBytes: service.dead_letters.max_bytes,
      maxAge: service.dead_letters.max_age,
      reserve: dataDir.reserve,
      key,
      previousKeys,
      clock,
      emit,
    });
    shutdown.last(() => deadLetters.close());

    const fields = new Scanner(fieldsOf(config));
    const { node, id: dataDirId } = dataDir;
    const links: ChainLink[] = [];
    for (const { alias, definition, match, options: own } of config.filters) {
      const filter = await definition.create(own, { alias, node, version, clock, emit, fields });
      for (const [group, state] of queue.states.get(alias) ?? []) filter.restore?.(group, state);
      links.push({ alias, matches: tagMatcher(match), filter });
    }
    const chain = new FilterChain(links, emit);

    const lanes: Lane[] = [];
    for (const output of config.outputs) {
      const lane = await makeLane(output, { queue, deadLetters, fields, node, version, clock, emit });
      shutdown.first(() => lane.close());
      lanes.push(lane);
    }
    const orphans = await settleOrphans(queue, service.orphans, emit);

    const feeds: Feed[] = [];
    for (const { alias, definition, tag, options: own } of config.inputs) {
      const positions = queue.positions.get(alias) ?? new Map<string, string>();
      const input = await definition.create(own, {
        alias,
        node,
        version,
        clock,
        emit,
        tag,
        dataDirId,
        positions,
        once,
      });
      const feed = new Feed({ alias, plugin: definition.name, tag, input, chain, queue, fields, clock, emit, once });
      shutdown.first(() => feed.close());
      feeds.push(feed);
    }

    const startedAt = clock.now();
    const status = (): PipelineStatus => {
      const { bytes, maxBytes, segments, oldest, blocked } = queue.stats();
      return {
        startedAt,
        inputs: feeds.map((feed) => feed.status()),
        filters: config.filters.map(({ alias, definition, match }, at) => ({
          alias,
          plugin: definition.name,
          match,
          state: "ok",
          since: startedAt,
          reason: undefined,
          ...links[at]!.filter.status?.(),
        })),
        outputs: lanes.map((lane) => lane.status()),
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
        deadLetters: deadLetters.stats(),
        lostAtInputBytes: feeds.reduce((bytes, feed) => bytes + feed.lostBytes(), 0),
      };
    };
    options.telemetry.observe(status);

    const tick = async (now = clock.monotonic()) => {
      await Promise.all(chain.tick(now).map(({ batch, extra }) => queue.append(batch, extra)));
    };
    const complain = (error: unknown) =>
      emit({ is: "notice", level: "error", component: "filters", message: messageOf(error) });
    const ticking = tickEvery(1_000, () => tick(), complain);
    for (const lane of lanes) void lane.run();
    let stopping: Promise<void> | undefined;
    // Where the inputs were stopped there is more to come, at the next start.
    const fed = Promise.all(feeds.map((feed) => feed.run())).then(() =>
      tick(stopping ? clock.monotonic() : Number.POSITIVE_INFINITY).catch(complain),
    );
    const closing = new AbortController();
    const settle = async () => {
      if (closing.signal.aborted) return;
      await queue.flush();
      await Promise.all(lanes.map((lane) => lane.settled(closing.signal)));
    };
    // The queue refuses only where it is being closed: then there is nothing more to wait for.
    const done = fed.then(settle).catch(() => {});

    const drain = async () => {
      const grace = AbortSignal.timeout(Math.min(service.grace, LONGEST_TIMER_MS));
      const late = new Promise<void>((resolve) => grace.addEventListener("abort", () => resolve(), { once: true }));
      for (const feed of feeds) feed.stop();
      await Promise.race([fed, late]);
      await Promise.race([queue.flush().catch(() => {}), late]);
      await Promise.all(lanes.map((lane) => lane.drained(grace)));
    };
    const stop = async () => {
      ticking.stop();
      try {
        await drain();
      } finally {
        closing.abort();
        await shutdown.run();
      }
    };
    return {
      done,
      status,
      get failed() {
        return feeds.some((feed) => feed.failed);
      },
      stop: () => (stopping ??= stop()),
    };
  } catch (error) {
    // Why it cannot start is what counts, not what went wrong in giving up.
    await shutdown.run().catch(() => {});
    throw error;
  }
}

function keyOf(secret: Secret): Buffer {
  const key = decodeKey(secret.reveal());
  if (!key) throw new Error("service.queue.key: must be 32 bytes, as 64 hex digits or base64");
  return key;
}

async function settleOrphans(
  queue: Awaited<ReturnType<typeof openQueue>>,
  policy: "keep" | "discard",
  emit: Emit,
): Promise<{ alias: string; records: number; bytes: number }[]> {
  const orphans = await queue.orphans();
  for (const orphan of orphans) {
    const { alias, records, bytes } = orphan;
    emit({ is: "orphan", alias, records, bytes, discarded: policy === "discard" });
    if (policy !== "discard") continue;
    await queue.dropOrphan(alias);
    if (records > 0)
      emit({ is: "lost", where: "queue", name: alias, records, bytes, reason: "service.orphans: discard" });
  }
  return policy === "discard" ? [] : orphans;
}

/** Calls `work` about every so many milliseconds, never twice at once. */
function tickEvery(ms: number, work: () => Promise<void>, complain: (error: unknown) => void): { stop(): void } {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const turn = async () => {
    try {
      await work();
    } catch (error) {
      if (!stopped) complain(error);
    }
    next();
  };
  const next = () => {
    if (stopped) return;
    timer = setTimeout(() => void turn(), ms);
    timer.unref();
  };
  next();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
