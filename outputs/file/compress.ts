/** Compressing closed files: at every moment there is the file or its compressed form, whole and synced. */
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import { syncDirectory } from "./files.ts";

const SUFFIX = { gzip: ".gz", zstd: ".zst" } as const;

/** Replaces `path` by `<path>.gz` or `.zst`. Done again after a crash, it comes to the same. A file that is gone is done. */
export async function compressFile(path: string, method: keyof typeof SUFFIX, signal: AbortSignal): Promise<void> {
  const target = `${path}${SUFFIX[method]}`;
  const temporary = `${target}.tmp`;
  // Left by a crash; opening it anew with `wx` follows no link that somebody put there.
  await rm(temporary, { force: true });
  try {
    const into = createWriteStream(temporary, { flags: "wx", mode: 0o600 });
    const packer = method === "gzip" ? createGzip() : createZstdCompress();
    await pipeline(createReadStream(path), packer, into, { signal });
    await syncFile(temporary);
    await rename(temporary, target);
    await syncDirectory(dirname(path));
    await unlink(path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
