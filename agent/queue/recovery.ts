/** What a start finds on disk: the segments, the state at the end of the log, and where it goes on. */
import { join } from "node:path";
import { type Disk, type DiskFile, errorCode } from "../state/disk.ts";
import { type BatchMeta, type BlockHome, deltaOfMeta, type SnapshotMeta } from "./block.ts";
import type { KeyRing } from "./keys.ts";
import { type BlockHeader, BlockType, decodeSegmentHeader, PAGE, seedOf, segmentNumber } from "./segment.ts";
import { IndexBuilder, Segment, type Shared } from "./segment-file.ts";
import { QueueState, type TotalsRow } from "./state.ts";
import { type FoundBlock, type FoundGap, findHome, walk } from "./walk.ts";

export interface Recovered {
  /** Oldest first. */
  readonly segments: Segment[];
  readonly state: QueueState;
  /** Sequence number of the next block. */
  readonly next: number;
  /** Number of the next segment. */
  readonly nextNumber: number;
  /** Files that can be recycled. */
  readonly spares: string[];
}

interface Opened {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  readonly size: number;
  readonly home: BlockHome | undefined;
  readonly base: number | undefined;
  /** A block or header of an earlier life, or nothing: the file never became this segment. */
  readonly unborn: boolean;
}

/** `settled` is the highest sequence number that any cursor knows to be durable. Changes nothing before all versions and keys are known. */
export async function recover(shared: Shared, directory: string, keys: KeyRing, settled: number): Promise<Recovered> {
  const { disk } = shared;
  const names = await disk.list(directory);
  const opened: Opened[] = [];
  try {
    for (const name of names) {
      const number = segmentNumber(name);
      if (number !== undefined) opened.push(await openSegment(disk, join(directory, name), number, keys));
    }
    opened.sort((a, b) => a.number - b.number);
    const spares = names.filter((name) => name.endsWith(".spare")).map((name) => join(directory, name));
    const nextNumber = (opened.at(-1)?.number ?? 0) + 1;
    const segments = await usable(shared, opened);
    const { state, next } = await replay(shared, segments, settled);
    return { segments: segments.map(({ segment }) => segment), state, next, nextNumber, spares };
  } finally {
    for (const { file } of opened) await file.close();
  }
}

async function openSegment(disk: Disk, path: string, number: number, keys: KeyRing): Promise<Opened> {
  const file = await disk.open(path, "read");
  try {
    const page = Buffer.alloc(PAGE);
    const size = await file.size();
    const header = decodeSegmentHeader(page.subarray(0, await file.read(page, PAGE, 0)), path);
    const found = header?.number === number ? header : await findHome(file, number);
    const home = found && {
      salt: found.salt,
      seed: seedOf(found.salt),
      number,
      keyId: found.keyId,
      key: keys.derive(found.keyId, found.salt, path),
    };
    const unborn = size === 0 || (header !== undefined && header.number !== number && !home);
    return { number, path, file, size, home, base: header?.number === number ? header.base : undefined, unborn };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Usable {
  readonly segment: Segment;
  readonly file: DiskFile;
}

/** Makes segments of what can be read; the rest is set aside or, where it never became one, removed. */
async function usable(shared: Shared, opened: readonly Opened[]): Promise<Usable[]> {
  const result: Usable[] = [];
  for (const one of opened) {
    const begin = one.home && (await firstBlocks(one.file, one.home));
    if (!one.home || !begin) {
      // The newest may have died while it was made: then no block was ever written to it. (If any was, cursors tell: see `replay`.)
      if (one === opened.at(-1)) {
        if (one.size > 0) {
          const message = `removed ${one.path}, a segment that was never finished`;
          shared.emit({ is: "notice", level: "info", component: "queue", message });
        }
      } else if (!one.unborn && !one.home) {
        await shared.setAside(one.file, one.path, 0, one.size, "no valid header and no valid block");
      }
      await shared.disk.remove(one.path).catch(() => undefined);
      continue;
    }
    // Not the header's base: without a snapshot the totals are those before the first block that is left, and what was lost before it is
    // then missing at the end of the segment before.
    const { base, totals, time } = begin;
    const about = { path: one.path, home: one.home, base, totals, time, end: one.size };
    result.push({ segment: new Segment(shared, about), file: one.file });
  }
  result.forEach(({ segment }, i) => {
    segment.limit = result[i + 1]?.segment.base ?? Number.POSITIVE_INFINITY;
  });
  return result;
}

/** Base, time and totals: of the snapshot, or without one as far as the first block of records tells. */
async function firstBlocks(
  file: DiskFile,
  home: BlockHome,
): Promise<{ base: number; time: number; totals: Map<string, TotalsRow> } | undefined> {
  let first: BlockHeader | undefined;
  const totals = new Map<string, TotalsRow>();
  for await (const found of walk(file, home, { payloads: false, limit: Number.POSITIVE_INFINITY })) {
    if (found.is === "gap") continue;
    const { header } = found;
    if (!first && header.type !== BlockType.records) {
      return { base: header.seq, time: header.time, totals: new Map((found.meta as SnapshotMeta).totals) };
    }
    first ??= header;
    if (header.type !== BlockType.records) continue;
    const meta = found.meta as BatchMeta;
    for (const [tag, row] of meta.totals) {
      const [read, created, filtered, appended, bytes] = row;
      const own = tag === meta.tag;
      if (totals.has(tag)) continue;
      totals.set(tag, own ? [read, created, filtered, appended - header.count, bytes - meta.bytes] : row);
    }
  }
  return first && { base: first.seq, time: first.time, totals };
}

async function replay(
  shared: Shared,
  segments: readonly Usable[],
  settled: number,
): Promise<{ state: QueueState; next: number }> {
  let state = new QueueState();
  let next = 1;
  let first = segments.length - 1;
  // The newest snapshot that can be read; every block behind it is replayed.
  for (; first >= 0; first--) {
    const { file, segment } = segments[first]!;
    const snapshot = await readSnapshot(file, segment.home);
    if (snapshot) {
      state = snapshot;
      break;
    }
    const reason = "no valid snapshot: positions come from the one before";
    shared.emit({ is: "queue_damaged", segment: segment.path, from: PAGE, to: 2 * PAGE, reason });
  }
  for (let i = Math.max(first, 0); i < segments.length; i++) {
    const { file, segment } = segments[i]!;
    next = Math.max(next, segment.base);
    const newest = i === segments.length - 1;
    const items = await collect(file, segment);
    const last = await replaySegment(shared, segment, file, items, state, newest, settled);
    next = Math.max(next, last + 1);
  }
  if (settled >= next && next > 1) {
    const message = `the end of the queue is gone: blocks ${next} to ${settled} were delivered before; sources are read again from there`;
    shared.emit({ is: "notice", level: "error", component: "queue", message });
  }
  return { state, next: Math.max(next, settled + 1) };
}

async function readSnapshot(file: DiskFile, home: BlockHome): Promise<QueueState | undefined> {
  for await (const found of walk(file, home, { payloads: true, limit: Number.POSITIVE_INFINITY })) {
    if (found.is === "gap") continue;
    if (found.header.type !== BlockType.snapshot) return undefined;
    return stateOf(found);
  }
  return undefined;
}

function stateOf(found: FoundBlock): QueueState {
  const state = new QueueState();
  state.restore(found.payload!);
  state.restoreTotals((found.meta as SnapshotMeta).totals);
  return state;
}

type Item = (Omit<FoundBlock, "payload"> & { end?: QueueState }) | FoundGap;

/** All of a segment but the records themselves, payloads checked. */
async function collect(file: DiskFile, segment: Segment): Promise<Item[]> {
  const items: Item[] = [];
  for await (const found of walk(file, segment.home, { payloads: true, limit: segment.limit })) {
    if (found.is === "gap") {
      items.push(found);
      continue;
    }
    const { payload: _payload, ...block } = found;
    items.push(found.header.type === BlockType.end ? { ...block, end: stateOf(found) } : block);
  }
  return items;
}

/** Applies a segment's blocks to the state; of the newest, cuts the tail that may never have been written whole. Answers the last seq. */
async function replaySegment(
  shared: Shared,
  segment: Segment,
  file: DiskFile,
  items: readonly Item[],
  state: QueueState,
  newest: boolean,
  settled: number,
): Promise<number> {
  let durable = newest ? settled : Number.POSITIVE_INFINITY;
  for (const item of items) if (item.is === "block") durable = Math.max(durable, item.header.durable);
  // A segment without blocks was perhaps never finished: then a gap in it is no damage.
  const young = newest && !items.some((item) => item.header?.type === BlockType.records);
  const builder = new IndexBuilder(segment.base, segment.totals, shared);
  let end = PAGE;
  for (const [i, item] of items.entries()) {
    if (item.is === "gap") {
      const follows = items.slice(i + 1).some((later) => later.is === "block");
      const snapshotOnly = item.header !== undefined && item.header.type !== BlockType.records;
      if (newest && builder.next > durable && !snapshotOnly && !(follows && !losesBlocks(items, i, builder.next))) {
        await cutTail(shared, segment, file, item);
        break;
      }
      if (!young && (item.ours || follows || builder.next <= durable)) {
        await shared.setAside(file, segment.path, item.from, item.to, item.reason);
      }
      if (follows) end = item.to;
      continue;
    }
    end = item.at + item.length;
    if (item.header.type === BlockType.records) {
      const meta = item.meta as BatchMeta;
      builder.add(item.header, meta, item.at, item.length);
      state.apply(deltaOfMeta(item.header, meta), meta.totals);
    } else if (item.end) {
      adopt(state, item.end);
    }
  }
  segment.end = end;
  segment.reported = newest;
  const last = newest ? Math.max(builder.next - 1, durable) : builder.next - 1;
  if (newest) segment.index = builder.finish(last + 1, new Map(state.totalRows()));
  return last;
}

/** Whether a sequence number is missing where the gap is. */
function losesBlocks(items: readonly Item[], gapAt: number, next: number): boolean {
  for (const item of items.slice(gapAt + 1)) {
    if (item.is === "block") return item.header.seq > next;
  }
  return false;
}

function adopt(state: QueueState, end: QueueState): void {
  state.positions.clear();
  state.states.clear();
  for (const [input, keys] of end.positions) state.positions.set(input, keys);
  for (const [filter, groups] of end.states) state.states.set(filter, groups);
  state.restoreTotals(end.totalRows());
}

/** What was never durable was never delivered, and its records are read again: it is no loss. */
async function cutTail(shared: Shared, segment: Segment, file: DiskFile, gap: FoundGap): Promise<void> {
  const size = await file.size();
  if (gap.ours) shared.emit({ is: "queue_torn", segment: segment.path, at: gap.from, bytes: size - gap.from });
  try {
    const writable = await shared.disk.open(segment.path, "write");
    try {
      await writable.truncate(gap.from);
    } finally {
      await writable.close();
    }
  } catch (error) {
    // A read-only disk, say: the tail stays and is found torn again next time.
    if (errorCode(error) === undefined) throw error;
  }
}
