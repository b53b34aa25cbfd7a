/** `audit-agent queue drop`: gives up a backlog nobody will fetch, through the agent where one runs. `audit-agent queue repair`: what a start does to a damaged queue. */
import { join } from "node:path";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { OrphanDropped } from "../api/operate.ts";
import { routeMatcher } from "../api/route.ts";
import type { OperatorAction } from "../control/operator.ts";
import type { Queue } from "../queue/types.ts";
import { describe } from "../telemetry/describe.ts";
import { askAgent } from "./ask.ts";
import { bytes, type CommandContext, EXIT, exists, load, messageOf } from "./context.ts";
import { printable } from "./style.ts";

export function dropBacklog(alias: string, file: string, context: CommandContext): Promise<number> {
  return askAgent(
    { config: file },
    context,
    async (agent) => {
      const dropped = await agent.post<OrphanDropped>(`/api/orphans/${encodeURIComponent(alias)}/drop`);
      context.out(gaveUp(dropped));
      return EXIT.fine;
    },
    () => dropOnDisk(alias, file, context),
  );
}

function gaveUp({ alias, records, bytes: size }: OrphanDropped): string {
  return `Gave up ${records.toLocaleString("en-US")} entries (${bytes(size)}) that waited for ${alias}.\n`;
}

/** Opens the queue as a start does, which cuts off what was never acknowledged and sets aside what is damaged. Inputs read nothing. */
export function repairQueue(file: string, context: CommandContext): Promise<number> {
  const done: string[] = [];
  const note: Emit = (event) => {
    if (event.is === "queue_torn" || event.is === "queue_damaged" || event.is === "lost")
      done.push(describe(event).message);
  };
  return withQueue(
    file,
    context,
    async (queue, { outputs }, tell) => {
      // As a start does: an output whose place lies before what is left has lost what was between.
      const known = await queue.orphans();
      for (const { alias, match } of outputs) {
        if (!known.some((orphan) => orphan.alias === alias)) continue;
        await using opened = new AsyncDisposableStack();
        const reader = await queue.openReader({
          alias,
          match: routeMatcher(match, alias),
          start: "end",
          onFull: "block",
          onDrop: () => {},
        });
        opened.defer(() => reader.close());
      }
      const { segments, bytes: size } = queue.stats();
      for (const line of done) context.out(`${printable(line)}\n`);
      const parts = done.length === 1 ? "1 part" : `${done.length} parts`;
      const message =
        done.length === 0 ? "looked for damage in the queue; there was none" : `repaired the queue: ${parts}`;
      await tell({ action: "queue.repair", details: { parts: done.length, what: done.slice(0, 20) }, message });
      const rest = `${segments} ${segments === 1 ? "segment" : "segments"} with ${bytes(size)}`;
      context.out(done.length === 0 ? `Nothing to repair: ${rest}, whole.\n` : `The rest can be delivered: ${rest}.\n`);
      return EXIT.fine;
    },
    note,
  );
}

async function dropOnDisk(alias: string, file: string, context: CommandContext): Promise<number> {
  return withQueue(file, context, async (queue, config, tell) => {
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
    const { records, bytes: size } = orphan;
    const message = `gave up ${records} entries that waited for ${alias}`;
    await tell({ action: "orphan.drop", details: { output: alias, records, bytes: size }, message });
    context.out(gaveUp(orphan));
    return EXIT.fine;
  });
}

/** Makes the audit entry of what was done. */
type Tell = (action: Omit<OperatorAction, "operator">) => Promise<void>;

/** With the data directory locked, so that no agent runs on it meanwhile. */
async function withQueue(
  file: string,
  context: CommandContext,
  use: (queue: Queue, config: ResolvedConfig, tell: Tell) => Promise<number>,
  /** Instead of what is said of damage otherwise. */
  note?: Emit,
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
  const [{ openDataDir }, { openOfflineQueue, record }] = await Promise.all([
    import("../state/data-dir.ts"),
    import("./offline.ts"),
  ]);
  const emit: Emit = (event) => {
    if (event.is === "notice" && event.level !== "debug") context.err(`${event.level}: ${event.message}\n`);
    if (note) note(event);
    else if (event.is === "queue_damaged")
      context.err(`damaged: ${event.segment} from ${event.from} to ${event.to}: ${event.reason}\n`);
  };
  try {
    await using opened = new AsyncDisposableStack();
    const dataDir = await openDataDir(service.data_dir, { node: service.node, clock: systemClock, emit });
    opened.defer(() => dataDir.close());
    const queue = await openOfflineQueue(service, emit);
    opened.defer(() => queue.close());
    return await use(queue, config, (action) => record(queue, dataDir.id, action, context));
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.usage;
  }
}
