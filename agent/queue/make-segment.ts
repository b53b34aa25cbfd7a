/** Begins a segment and ends it in order: snapshots before its first block and behind its last. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../api/clock.ts";
import type { DiskFile } from "../state/disk.ts";
import { type BlockContent, type BlockHome, emptyPayload, encodeBlock, type SnapshotMeta } from "./block.ts";
import { BlockIndex } from "./block-index.ts";
import type { KeyRing } from "./keys.ts";
import { type Log, tryDisk } from "./log.ts";
import { BlockType, encodeSegmentHeader, PAGE, seedOf, segmentName } from "./segment.ts";
import { Segment } from "./segment-file.ts";
import type { QueueState } from "./state.ts";

export interface MakeOptions {
  readonly directory: string;
  readonly zstd: boolean;
  readonly keys: KeyRing;
  readonly clock: Clock;
}

/** The segment that is written now. */
export interface Active {
  readonly segment: Segment;
  readonly file: DiskFile;
  readonly index: BlockIndex;
  /** Where its blocks begin: behind the snapshot. */
  readonly begun: number;
  /** Of the next block, for its nonces. */
  counter: number;
}

/** A new segment with its snapshot, durable. Throws, leaving nothing behind, where the disk refuses. */
export async function beginSegment(log: Log, options: MakeOptions, base: number, state: QueueState): Promise<Active> {
  const { directory, keys, clock, zstd } = options;
  const { disk } = log.shared;
  const number = log.nextNumber++;
  const path = join(directory, segmentName(number));
  const salt = randomBytes(16);
  const keyId = keys.currentId;
  const home: BlockHome = { salt, seed: seedOf(salt), number, keyId, key: keys.derive(keyId, salt, path) };
  const time = clock.now();
  const file = await newFile(log, path);
  try {
    const parts: Buffer[] = [encodeSegmentHeader({ salt, number, base, keyId })];
    let end = PAGE;
    // Twice, so that no single damage costs the positions.
    for (const counter of [1, 2]) {
      const where = { seq: base, time, durable: base - 1, counter, page: end / PAGE };
      const block = await encodeBlock(home, snapshot(BlockType.snapshot, state, where), zstd);
      parts.push(...block.parts);
      end += block.length;
    }
    await file.writev(parts, 0);
    await file.datasync();
    await disk.syncDirectory(directory);
    const totals = new Map(state.totalRows());
    const segment = new Segment(log.shared, { path, home, base, totals, time, end });
    return { segment, file, index: new BlockIndex(), begun: end, counter: 3 };
  } catch (error) {
    await file.close().catch(() => undefined);
    await tryDisk(() => disk.remove(path));
    throw error;
  }
}

/** Overwriting a file that has its blocks costs a fraction of making one. */
async function newFile(log: Log, path: string): Promise<DiskFile> {
  const { disk } = log.shared;
  const spare = log.spares.pop();
  if (spare && (await tryDisk(() => disk.rename(spare, path)))) return await disk.open(path, "write");
  return await disk.open(path, "create");
}

/** Says that all is durable: what is unreadable before it is damage, and nothing has to be read again. */
export async function endSegment(log: Log, options: MakeOptions, active: Active, state: QueueState): Promise<void> {
  const { segment, file } = active;
  const { next: seq, durable } = log;
  const where = { seq, time: options.clock.now(), durable, counter: active.counter++, page: segment.end / PAGE };
  const block = await encodeBlock(segment.home, snapshot(BlockType.end, state, where), options.zstd);
  await file.writev(block.parts, segment.end);
  await file.datasync();
}

function snapshot(
  type: BlockContent["type"],
  state: QueueState,
  where: Pick<BlockContent, "seq" | "time" | "durable" | "counter" | "page">,
): BlockContent {
  const json = state.serialize();
  const meta: SnapshotMeta = { totals: state.totalRows() };
  return { ...where, type, meta, payload: { ...emptyPayload, parts: [json], length: json.length } };
}
