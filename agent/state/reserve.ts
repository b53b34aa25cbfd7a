/**
 * A file that only takes up room. When the disk is full it is given up, so that what must still be written (a segment's turnover,
 * dead letters) finds some; it is made again once there is room.
 */
import { dirname } from "node:path";
import { type Disk, errorCode } from "./disk.ts";

/** It comes back only where that leaves as much again three times over: it must not take the room it just gave. */
const ELBOW_ROOM = 4;
const CHUNK = Buffer.alloc(256 * 1024);

export interface Reserve {
  /** Frees its room; false where it had been freed already. */
  release(): Promise<boolean>;
  /** Makes it again where it is missing; false where the disk has no room for it. */
  restore(): Promise<boolean>;
}

export function openReserve(disk: Disk, path: string, bytes: number): Reserve {
  let last: Promise<unknown> = Promise.resolve();
  /** One at a time: the queue and the dead letters share it. */
  function oneByOne(action: () => Promise<boolean>): Promise<boolean> {
    const next = last.then(action, action);
    last = next.catch(() => undefined);
    return next;
  }
  return {
    release: () =>
      oneByOne(async () => {
        if ((await sizeOf(disk, path)) === 0) return false;
        await disk.remove(path);
        return true;
      }),
    restore: () => oneByOne(() => fill(disk, path, bytes)),
  };
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  try {
    const file = await disk.open(path, "read");
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}

/** Written, not only sized: a sparse file would reserve nothing. */
async function fill(disk: Disk, path: string, bytes: number): Promise<boolean> {
  if ((await sizeOf(disk, path)) >= bytes) return true;
  try {
    if ((await disk.freeBytes(dirname(path))) < ELBOW_ROOM * bytes) return false;
    await disk.remove(path);
    const file = await disk.open(path, "create");
    try {
      for (let at = 0; at < bytes; at += CHUNK.length) {
        await file.writev([CHUNK.subarray(0, Math.min(CHUNK.length, bytes - at))], at);
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    await disk.remove(path).catch(() => undefined);
    return false;
  }
}
