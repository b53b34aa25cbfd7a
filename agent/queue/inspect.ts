/** Looks through a queue's directory without changing anything, for people who want to know what is in it or what happened to it. */
import { join } from "node:path";
import { type Disk, messageOf, realDisk } from "../state/disk.ts";
import { type BatchMeta, deltaOfMeta, type SnapshotMeta } from "./block.ts";
import { type CursorRecord, listCursors, openCursor } from "./cursor.ts";
import { KeyRing } from "./keys.ts";
import { BlockType, decodeSegmentHeader, PAGE, seedOf, segmentNumber } from "./segment.ts";
import { QueueState } from "./state.ts";
import { findHome, walk } from "./walk.ts";

export interface InspectedBlock {
  readonly seq: number;
  readonly at: number;
  readonly length: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly tag: string;
  readonly input: string;
  readonly path: string | undefined;
  readonly records: number;
  readonly bytes: number;
}

export interface InspectedSegment {
  readonly path: string;
  readonly size: number;
  readonly encrypted: boolean;
  readonly headerIntact: boolean;
  readonly snapshots: number;
  readonly blocks: readonly InspectedBlock[];
  /** Parts that are no block. The last may only be what was there before, or a torn tail. */
  readonly gaps: readonly {
    readonly from: number;
    readonly to: number;
    readonly reason: string;
    readonly ours: boolean;
  }[];
  /** Why nothing more could be said of it. */
  readonly problem: string | undefined;
}

export interface InspectedCursor {
  readonly alias: string;
  /** Undefined where both slots are damaged. */
  readonly record: CursorRecord | undefined;
}

export interface Inspected {
  readonly segments: readonly InspectedSegment[];
  readonly cursors: readonly InspectedCursor[];
  /** Parts that were set aside. */
  readonly damaged: readonly string[];
  /** Positions, filter states and totals at the end of the log. */
  readonly state: QueueState;
}

export interface InspectOptions {
  readonly dir: string;
  readonly key?: Buffer | undefined;
  readonly previousKeys?: readonly Buffer[] | undefined;
  readonly disk?: Disk;
  /** Check the records' bytes too, not only the blocks' headers. */
  readonly payloads?: boolean;
}

export async function inspectQueue(options: InspectOptions): Promise<Inspected> {
  const disk = options.disk ?? realDisk;
  const keys = new KeyRing(options.key, options.previousKeys);
  const segments: InspectedSegment[] = [];
  let limit = Number.POSITIVE_INFINITY;
  const sums: Change[][] = [];
  const names = (await disk.list(options.dir)).filter((name) => segmentNumber(name) !== undefined);
  for (const name of names.reverse()) {
    const { base, changes, ...segment } = await inspectSegment(
      disk,
      join(options.dir, name),
      keys,
      limit,
      options.payloads ?? true,
    );
    segments.unshift(segment);
    sums.unshift(changes);
    if (base !== undefined) limit = base;
  }
  const cursors: InspectedCursor[] = [];
  const cursorDir = join(options.dir, "cursors");
  for (const alias of await listCursors(disk, cursorDir).catch(() => [])) {
    const cursor = await openCursor(disk, cursorDir, alias, "read");
    cursors.push({ alias, record: cursor?.record });
    await cursor?.close();
  }
  const damaged = await disk.list(join(options.dir, "damaged")).catch(() => []);
  let state = new QueueState();
  for (const change of sums.flat()) state = change(state);
  return { segments, cursors, damaged, state };
}

/** What a block does to the state before it. */
type Change = (state: QueueState) => QueueState;

async function inspectSegment(
  disk: Disk,
  path: string,
  keys: KeyRing,
  limit: number,
  payloads: boolean,
): Promise<InspectedSegment & { base: number | undefined; changes: Change[] }> {
  const blocks: InspectedBlock[] = [];
  const gaps: InspectedSegment["gaps"][number][] = [];
  const changes: Change[] = [];
  const result = { path, size: 0, encrypted: false, headerIntact: false, snapshots: 0, blocks, gaps, changes };
  let base: number | undefined;
  const file = await disk.open(path, "read");
  try {
    result.size = await file.size();
    const page = Buffer.alloc(PAGE);
    const number = segmentNumber(path.slice(path.lastIndexOf("/") + 1))!;
    const header = decodeSegmentHeader(page.subarray(0, await file.read(page, PAGE, 0)), path);
    result.headerIntact = header?.number === number;
    const found = result.headerIntact ? header! : await findHome(file, number);
    if (!found) return { ...result, base, problem: "no valid header and no valid block" };
    if (header && result.headerIntact) base = header.base;
    result.encrypted = found.keyId !== 0;
    const key = keys.derive(found.keyId, found.salt, path);
    const home = { ...found, number, seed: seedOf(found.salt), key };
    for await (const item of walk(file, home, { payloads, limit })) {
      if (item.is === "gap") {
        gaps.push({ from: item.from, to: item.to, reason: item.reason, ours: item.ours });
      } else if (item.header.type !== BlockType.records) {
        if (item.header.type === BlockType.snapshot) result.snapshots++;
        const { totals } = item.meta as SnapshotMeta;
        const { payload } = item;
        if (payload) changes.push((state) => restored(payload, totals) ?? state);
      } else {
        const { seq, time, count: records } = item.header;
        const meta = item.meta as BatchMeta;
        const { tag, source, bytes } = meta;
        const { at, length } = item;
        const delta = deltaOfMeta(item.header, meta);
        changes.push((state) => {
          state.apply(delta, meta.totals);
          return state;
        });
        blocks.push({ seq, at, length, time, tag, input: source[1], path: source[3] ?? undefined, records, bytes });
      }
    }
    return { ...result, base, problem: undefined };
  } catch (error) {
    return { ...result, base, problem: messageOf(error) };
  } finally {
    await file.close();
  }
}

function restored(payload: Buffer, totals: SnapshotMeta["totals"]): QueueState | undefined {
  try {
    const state = new QueueState();
    state.restore(payload);
    state.restoreTotals(totals);
    return state;
  } catch {
    return undefined;
  }
}
