/** What the data directory says of a pipeline: where each output is, what it has settled, and the chains. Changes nothing. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { groupsTold, type KnownGroup } from "../../filters/chain/groups.ts";
import { decodeState } from "../../filters/chain/state.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { ChainGroup } from "../api/filter.ts";
import { routeMatcher } from "../api/route.ts";
import { imbalance, type Ledger } from "../api/status.ts";
import { type StoredLedger, storedLedger } from "../pipeline/lane-ledger.ts";
import { type Inspected, type InspectedBlock, type InspectedCursor, inspectQueue } from "../queue/inspect.ts";
import { keysOf } from "./keys.ts";

const MOST_CHAINS = 50;

export interface OutputOnDisk {
  readonly alias: string;
  /** No enabled output has this alias. */
  readonly orphan: boolean;
  /** undefined where its place is damaged: it starts again at the oldest entry. */
  readonly backlog: Backlog | undefined;
  /** undefined where nothing is known, or where it would count other tags. */
  readonly ledger: Ledger | undefined;
  readonly imbalance: number;
}

export interface Backlog {
  readonly records: number;
  readonly bytes: number;
  /** Milliseconds since the epoch; undefined where nothing waits. */
  readonly oldest: number | undefined;
}

export interface OnDisk {
  readonly dataDir: string;
  /** When the queue was written to last, milliseconds since the epoch. */
  readonly written: number;
  readonly queue: { readonly bytes: number; readonly maxBytes: number | undefined; readonly segments: number };
  readonly damage: readonly string[];
  readonly outputs: readonly OutputOnDisk[];
  readonly chains: readonly ChainGroup[];
  readonly deadLetters: { readonly records: number; readonly bytes: number };
}

/** Throws where there is no queue, or where it cannot be read: without its key, say. Without a configuration nobody knows what is an orphan. */
export async function readDataDir(dataDir: string, config: ResolvedConfig | undefined, now: number): Promise<OnDisk> {
  const dir = join(dataDir, "queue");
  const keys = config === undefined ? {} : keysOf(config.service);
  const inspected = await inspectQueue({ dir, ...keys });
  const { segments, cursors, state } = inspected;
  const blocks = segments.flatMap((segment) => segment.blocks);
  return {
    dataDir,
    written: await lastWrite(segments.map(({ path }) => path)),
    queue: {
      bytes: segments.reduce((sum, { size }) => sum + size, 0),
      maxBytes: config?.service.queue.max_bytes,
      segments: segments.length,
    },
    damage: damageOf(dir, inspected),
    outputs: cursors.map((cursor) => outputOf(cursor, blocks, inspected, config)),
    chains: chainsOf(state.states, now),
    deadLetters: await lettersIn(join(dataDir, "dead-letters")),
  };
}

export function damageOf(directory: string, { segments, damaged }: Inspected): string[] {
  const damage: string[] = [];
  for (const { path, problem, gaps, headerIntact } of segments) {
    if (problem !== undefined) damage.push(`${path}: ${problem}`);
    else if (!headerIntact) damage.push(`${path}: its header is damaged; what follows is whole`);
    for (const gap of gaps) if (gap.ours) damage.push(`${path}: bytes ${gap.from} to ${gap.to}: ${gap.reason}`);
  }
  for (const name of damaged) damage.push(`${join(directory, "damaged", name)}: set aside`);
  return damage;
}

/** What waits at a cursor for an output with these patterns, or, without them, for the one that made the cursor. */
export function backlogOf(
  { alias, record }: InspectedCursor,
  blocks: readonly InspectedBlock[],
  patterns: readonly string[] | undefined,
): Backlog | undefined {
  if (!record) return undefined;
  const matches = matcherOf(alias, patterns ?? record.tags);
  let records = 0;
  let size = 0;
  let oldest: number | undefined;
  for (const block of blocks) {
    if (block.seq < record.seq || block.records === 0 || !matches(block.tag)) continue;
    const settled = block.seq === record.seq ? record.index : 0;
    if (settled >= block.records) continue;
    records += block.records - settled;
    size += Math.round((block.bytes * (block.records - settled)) / block.records);
    oldest ??= block.time;
  }
  return { records, bytes: size, oldest };
}

/** Beside a cursor's place stand the tags it is about, as patterns; null where they are not known. */
function matcherOf(alias: string, patterns: readonly string[] | null): (route: string) => boolean {
  return patterns === null ? () => true : routeMatcher(patterns, alias);
}

function outputOf(
  cursor: InspectedCursor,
  blocks: readonly InspectedBlock[],
  { state }: Inspected,
  config: ResolvedConfig | undefined,
): OutputOnDisk {
  const { alias, record } = cursor;
  const output = config?.outputs.find((one) => one.alias === alias);
  const backlog = backlogOf(cursor, blocks, output?.match);
  const stored = (record?.data as { readonly ledger?: StoredLedger } | undefined)?.ledger;
  const waiting = backlog?.records ?? 0;
  const ledger =
    stored &&
    storedLedger(stored, output?.match, matcherOf(alias, output?.match ?? record!.tags), {
      totals: state.totals,
      waiting,
    });
  const orphan = config !== undefined && output === undefined;
  return { alias, orphan, backlog, ledger, imbalance: ledger === undefined ? 0 : imbalance(ledger) };
}

function chainsOf(states: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>, now: number): ChainGroup[] {
  const known: KnownGroup[] = [];
  for (const groups of states.values()) {
    for (const [group, bytes] of groups) {
      const state = stateIn(bytes);
      if (state !== undefined) known.push({ group, state });
    }
  }
  return groupsTold(known, MOST_CHAINS, now);
}

/** Other filters keep states too. */
function stateIn(bytes: Uint8Array) {
  try {
    return decodeState(bytes)?.state;
  } catch {
    return undefined;
  }
}

async function lettersIn(dir: string): Promise<{ records: number; bytes: number }> {
  const { measureDeadLetters } = await import("../queue/dead-letter-files.ts");
  return measureDeadLetters(dir);
}

async function lastWrite(paths: readonly string[]): Promise<number> {
  const times = await Promise.all(paths.map((path) => stat(path).then(({ mtimeMs }) => mtimeMs)));
  return Math.max(0, ...times);
}

/** Whether an agent has ever run there. */
export async function hasQueue(dataDir: string): Promise<boolean> {
  return readdir(join(dataDir, "queue")).then(
    () => true,
    () => false,
  );
}
