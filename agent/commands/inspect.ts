/** `audit-agent queue inspect`: what waits on disk for which output, and whether it is whole. Changes nothing; works beside a running agent. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { ResolvedConfig } from "../api/config.ts";
import type { Inspected, InspectedBlock, InspectedCursor } from "../queue/inspect.ts";
import { bytes, type CommandContext, EXIT, load, messageOf, table } from "./context.ts";
import { keysOf } from "./keys.ts";
import { backlogOf, damageOf } from "./on-disk.ts";

export interface InspectFlags {
  /** One JSON object instead of a table. */
  readonly json: boolean;
}

export async function inspectQueue(file: string, flags: InspectFlags, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { config } = loaded;
  const dir = join(config.service.data_dir, "queue");
  const exists = await access(dir).then(
    () => true,
    () => false,
  );
  if (!exists) {
    context.err(`${dir} does not exist: no agent has run with this configuration yet\n`);
    return EXIT.usage;
  }
  try {
    const { inspectQueue: inspect } = await import("../queue/inspect.ts");
    const inspected = await inspect({ dir, ...keysOf(config.service) });
    const state = stateOf(dir, inspected, config);
    context.out(flags.json ? `${JSON.stringify(state)}\n` : report(state));
    await context.drained();
    return state.damage.length > 0 ? EXIT.failed : EXIT.fine;
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.usage;
  }
}

/** What `--json` prints: names and units are part of the command's promise. */
interface QueueState {
  readonly directory: string;
  /** On disk. */
  readonly bytes: number;
  readonly max_bytes: number;
  readonly segments: number;
  readonly outputs: readonly Waiting[];
  /** Sentences; empty where all is whole. */
  readonly damage: readonly string[];
}

interface Waiting {
  readonly alias: string;
  /** Entries that wait, and their bytes; null where the output's place is damaged: it starts again at the oldest entry. */
  readonly records: number | null;
  readonly bytes: number | null;
  /** No enabled output has this alias. */
  readonly orphan: boolean;
}

function stateOf(directory: string, inspected: Inspected, config: ResolvedConfig): QueueState {
  const { segments, cursors } = inspected;
  const blocks = segments.flatMap((segment) => segment.blocks);
  return {
    directory,
    bytes: segments.reduce((sum, segment) => sum + segment.size, 0),
    max_bytes: config.service.queue.max_bytes,
    segments: segments.length,
    outputs: cursors.map((cursor) => waiting(cursor, blocks, config)),
    damage: damageOf(directory, inspected),
  };
}

function waiting(cursor: InspectedCursor, blocks: readonly InspectedBlock[], config: ResolvedConfig): Waiting {
  const { alias } = cursor;
  const output = config.outputs.find((one) => one.alias === alias);
  const backlog = backlogOf(cursor, blocks, output?.match);
  return { alias, records: backlog?.records ?? null, bytes: backlog?.bytes ?? null, orphan: output === undefined };
}

function report({ directory, bytes: used, max_bytes, segments, outputs, damage }: QueueState): string {
  const noun = segments === 1 ? "segment" : "segments";
  const head = `Queue ${directory}: ${bytes(used)} of ${bytes(max_bytes)}, ${segments} ${noun}\n`;
  const places = outputs.length === 0 ? "No output has a place in it yet.\n" : table(outputs.map(row));
  const state = damage.length === 0 ? "No damage.\n" : `Damaged:\n${table(damage.map((problem) => [problem]))}`;
  return head + places + state;
}

/** Alias, records, bytes, and whose it is where no output has that alias. */
function row({ alias, records, bytes: size, orphan }: Waiting): string[] {
  if (records === null || size === null) return [alias, "its place is damaged: it starts again at the oldest entry"];
  const whose = orphan ? "orphan: no enabled output has this alias" : "";
  return [alias, `${records.toLocaleString("en-US")} waiting`, bytes(size), whose];
}
