/** What the data directory says of a pipeline: where each output is, what it has settled, and the chains. Changes nothing. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { decodeState } from "../../filters/chain/state.ts";
import type { ResolvedConfig } from "../api/config.ts";
import { routeMatcher } from "../api/route.ts";
import { imbalance, type Ledger } from "../api/status.ts";
import type { BreakKind } from "../integrity/kinds.ts";
import { KIND_WORDS } from "../integrity/kinds.ts";
import { type StoredLedger, storedLedger } from "../pipeline/lane-ledger.ts";
import { type Inspected, type InspectedBlock, type InspectedCursor, inspectQueue } from "../queue/inspect.ts";
import { keysOf } from "./keys.ts";

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

export interface ChainOnDisk {
  readonly filter: string;
  readonly group: string;
  readonly scheme: string;
  readonly entries: number;
  readonly breaks: number;
  readonly stopped: string | undefined;
  readonly last:
    | { readonly kind: string; readonly words: string; readonly path: string | undefined; readonly at: number }
    | undefined;
}

export interface OnDisk {
  readonly dataDir: string;
  /** When the queue was written to last, milliseconds since the epoch. */
  readonly written: number;
  readonly queue: { readonly bytes: number; readonly maxBytes: number | undefined; readonly segments: number };
  readonly damage: readonly string[];
  readonly outputs: readonly OutputOnDisk[];
  readonly chains: readonly ChainOnDisk[];
  readonly deadLetters: { readonly records: number; readonly bytes: number };
}

/** Throws where there is no queue, or where it cannot be read: without its key, say. Without a configuration nobody knows what is an orphan. */
export async function readDataDir(dataDir: string, config: ResolvedConfig | undefined): Promise<OnDisk> {
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
    chains: chainsOf(state.states),
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
  const matches = matcherOf(alias, record.tags, patterns);
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

/** Beside a cursor's place stand the tags it is about, as patterns. */
function matcherOf(
  alias: string,
  tags: readonly string[] | null,
  patterns: readonly string[] | undefined,
): (route: string) => boolean {
  const own = patterns ?? tags;
  return own ? routeMatcher(own, alias) : () => true;
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
    storedLedger(stored, output?.match, matcherOf(alias, record!.tags, output?.match), {
      totals: state.totals,
      waiting,
    });
  const orphan = config !== undefined && output === undefined;
  return { alias, orphan, backlog, ledger, imbalance: ledger === undefined ? 0 : imbalance(ledger) };
}

function chainsOf(states: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>): ChainOnDisk[] {
  const chains: ChainOnDisk[] = [];
  for (const [filter, groups] of states) {
    for (const [group, bytes] of groups) {
      const decoded = stateIn(bytes);
      if (decoded === undefined) continue;
      const { scheme, entries, breaks, stopped, last } = decoded;
      const words = last && (KIND_WORDS[last.kind as BreakKind] ?? last.kind);
      const told = last && { kind: last.kind, words: words!, path: last.path, at: last.at };
      chains.push({ filter, group, scheme, entries, breaks, stopped, last: told });
    }
  }
  return chains.sort((a, b) => (b.last?.at ?? 0) - (a.last?.at ?? 0));
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
  const { measureDeadLetters } = await import("../queue/dead-letters.ts");
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
