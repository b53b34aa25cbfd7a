/** Damaged parts of the queue are kept for whoever wants to look, up to a limit, and always said. */
import { basename, join } from "node:path";
import type { Emit } from "../api/events.ts";
import type { Disk, DiskFile } from "../state/disk.ts";

export type SetAside = (file: DiskFile, path: string, from: number, to: number, reason: string) => Promise<void>;

/** Bytes of one part, and number of parts, that are kept: damage must not fill the disk. */
const MAX_PART = 64 * 1024 * 1024;
const MAX_PARTS = 64;
const CHUNK = 1024 * 1024;

export function damagedFolder(disk: Disk, directory: string, emit: Emit): SetAside {
  async function copy(file: DiskFile, name: string, from: number, to: number): Promise<string | undefined> {
    await disk.mkdir(directory);
    const there = await disk.list(directory);
    if (there.length >= MAX_PARTS || there.includes(name)) return undefined;
    const path = join(directory, name);
    const copied = await disk.open(path, "create");
    try {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, to - from));
      for (let at = from; at < to && at - from < MAX_PART; ) {
        const got = await file.read(chunk, Math.min(chunk.length, to - at), at);
        if (got === 0) break;
        await copied.writev([chunk.subarray(0, got)], at - from);
        at += got;
      }
    } finally {
      await copied.close();
    }
    return path;
  }
  return async (file, path, from, to, reason) => {
    if (to <= from) return;
    const name = `${basename(path)}-${from}-${to}`;
    // A copy for the curious: where the disk is full or cannot read the place, there is none.
    const setAside = await copy(file, name, from, to).catch(() => undefined);
    emit({ is: "queue_damaged", segment: path, from, to, reason, ...(setAside ? { setAside } : {}) });
  };
}
