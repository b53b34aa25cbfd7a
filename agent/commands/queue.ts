/** `audit-agent queue drop`: gives up a backlog nobody will fetch. Needs the agent stopped. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { Queue } from "../queue/types.ts";
import { bytes, type CommandContext, EXIT, load, messageOf } from "./context.ts";
import { keysOf } from "./keys.ts";

export async function dropBacklog(alias: string, file: string, context: CommandContext): Promise<number> {
  return withQueue(file, context, async (queue, config) => {
    if (config.outputs.some((output) => output.alias === alias)) {
      context.err(`${alias} is an output of ${file}; remove or disable it there before giving up what waits for it\n`);
      return EXIT.usage;
    }
    const orphans = await queue.orphans();
    const orphan = orphans.find((one) => one.alias === alias);
    if (!orphan) {
      const known = orphans.map((one) => one.alias).join(", ");
      context.err(
        `nothing waits for ${alias}; ${known === "" ? "the queue has no outputs" : `the queue knows ${known}`}\n`,
      );
      return EXIT.usage;
    }
    await queue.dropOrphan(alias);
    context.out(
      `Gave up ${orphan.records.toLocaleString("en-US")} entries (${bytes(orphan.bytes)}) that waited for ${alias}.\n`,
    );
    return EXIT.fine;
  });
}

/** With the data directory locked, so that no agent runs on it meanwhile. */
async function withQueue(
  file: string,
  context: CommandContext,
  use: (queue: Queue, config: ResolvedConfig) => Promise<number>,
): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { config } = loaded;
  const { service } = config;
  const dir = join(service.data_dir, "queue");
  if (!(await exists(dir))) {
    context.err(`${dir} does not exist: no agent has run with this configuration yet\n`);
    return EXIT.usage;
  }
  const [{ openDataDir }, { openQueue }] = await Promise.all([
    import("../state/data-dir.ts"),
    import("../queue/queue.ts"),
  ]);
  const emit: Emit = (event) => {
    if (event.is === "notice" && event.level !== "debug") context.err(`${event.level}: ${event.message}\n`);
    if (event.is === "queue_damaged")
      context.err(`damaged: ${event.segment} from ${event.from} to ${event.to}: ${event.reason}\n`);
  };
  try {
    await using opened = new AsyncDisposableStack();
    const dataDir = await openDataDir(service.data_dir, { node: service.node, clock: systemClock, emit });
    opened.defer(() => dataDir.close());
    const queue = await openQueue({
      dir,
      maxBytes: service.queue.max_bytes,
      segmentBytes: service.queue.segment_bytes,
      reserveBytes: service.queue.reserve_bytes,
      compression: service.queue.compression,
      ...keysOf(service),
      clock: systemClock,
      emit,
    });
    opened.defer(() => queue.close());
    return await use(queue, config);
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.usage;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
