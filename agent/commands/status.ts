/** `audit-agent status`: how the running agent is; where none runs, what its data directory says. */
import { ConfigError } from "../../config/problems.ts";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { PipelineView } from "../api/operate.ts";
import { askAgent } from "./ask.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";
import { hasQueue, type OnDisk, readDataDir } from "./on-disk.ts";
import type { Place, PlaceFlags } from "./place.ts";
import { diskReport, statusReport } from "./status-report.ts";

export function status(flags: PlaceFlags, { json }: { json: boolean }, context: CommandContext): Promise<number> {
  return askAgent(
    flags,
    context,
    async (agent) => {
      const view = await agent.get<PipelineView>("/api/pipeline");
      context.out(
        json ? `${JSON.stringify({ running: true, pipeline: view })}\n` : statusReport(view, context.terminal),
      );
      return view.status === "ok" ? EXIT.fine : EXIT.failed;
    },
    (place, why) => fromDisk(place, why, json, context),
  );
}

async function fromDisk(
  { dataDir, config }: Place,
  why: string,
  json: boolean,
  context: CommandContext,
): Promise<number> {
  let found: OnDisk | undefined;
  try {
    if (await hasQueue(dataDir)) found = await readDataDir(dataDir, await configIn(config, context));
  } catch (error) {
    context.err(`${why}, and its data directory cannot be read: ${messageOf(error)}\n`);
    return EXIT.absent;
  }
  if (json)
    context.out(`${JSON.stringify({ running: false, data_dir: dataDir, on_disk: found ? plain(found) : null })}\n`);
  else context.out(diskReport(found, why, systemClock.now(), context.terminal));
  return EXIT.absent;
}

/** Says which outputs are orphans, and the queue's key; without it the rest can be told all the same. */
async function configIn(file: string | undefined, context: CommandContext): Promise<ResolvedConfig | undefined> {
  if (file === undefined) return undefined;
  const { loadConfig } = await import("../../config/load.ts");
  try {
    return loadConfig(file, await context.registries()).config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.err(`${error.message}\nWhat follows is told without the configuration.\n`);
    return undefined;
  }
}

function plain({ written, queue, damage, outputs, chains, deadLetters }: OnDisk): object {
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    written: time(written),
    queue: { bytes: queue.bytes, max_bytes: queue.maxBytes ?? null, segments: queue.segments },
    damage,
    outputs: outputs.map(({ alias, orphan, backlog, ledger, imbalance }) => ({
      alias,
      orphan,
      backlog: backlog ? { records: backlog.records, bytes: backlog.bytes, oldest: time(backlog.oldest) } : null,
      ledger: ledger ?? null,
      imbalance,
    })),
    chains: chains.map(({ filter, group, scheme, entries, breaks, stopped, last }) => ({
      filter,
      group,
      scheme,
      entries,
      breaks,
      stopped: stopped ?? null,
      last_break: last ? { explanation: last.words, path: last.path ?? null, at: time(last.at) } : null,
    })),
    dead_letters: deadLetters,
  };
}
