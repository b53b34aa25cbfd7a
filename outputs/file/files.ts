/** Opening, renaming and listing archive files. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_DIRECTORY } = constants;

/** A regular file for appending, 0600, its directories 0700. A symlink could lead anywhere, a FIFO could block: both are refused. */
export async function openArchive(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
  return await openRegular(path, flags).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    const file = await openRegular(path, flags | O_CREAT);
    await syncDirectory(dirname(path));
    return file;
  });
}

/** The same for a file that may not be there: undefined then. */
export async function openExisting(path: string): Promise<FileHandle | undefined> {
  return await openRegular(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK).catch(absent);
}

async function openRegular(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags, 0o600);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Error(`${path} is not a regular file`);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** A new or renamed name survives a power cut only after this. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY | O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Closed files of `path`: `<path>.<number>`, also compressed. The numbers grow, 1 is the oldest. */
async function numbers(path: string): Promise<{ readonly name: string; readonly number: number }[]> {
  const prefix = `${basename(path)}.`;
  const names = (await readdir(dirname(path)).catch(absent)) ?? [];
  return names.flatMap((name) => {
    const match = name.startsWith(prefix) && /^(\d{1,9})(\.gz|\.zst)?(\.tmp)?$/.exec(name.slice(prefix.length));
    return match ? [{ name, number: Number(match[1]) }] : [];
  });
}

/** Renames the file to the next free `<path>.<number>`; answers the new name. */
export async function putAway(path: string): Promise<string> {
  const last = Math.max(0, ...(await numbers(path)).map(({ number }) => number));
  const closed = `${path}.${last + 1}`;
  await rename(path, closed);
  await syncDirectory(dirname(path));
  return closed;
}

/** Closed files of `path` that are not compressed. */
export async function uncompressed(path: string): Promise<string[]> {
  const found = await numbers(path);
  return found.filter(({ name }) => /\.\d+$/.test(name)).map(({ name }) => join(dirname(path), name));
}

/** The file with this inode, where it stands under one of the names that `path` gets when it is closed. */
export async function findPutAway(path: string, inode: number): Promise<FileHandle | undefined> {
  for (const { name } of await numbers(path)) {
    const file = await openExisting(join(dirname(path), name));
    if (file === undefined) continue;
    if ((await file.stat()).ino === inode) return file;
    await file.close();
  }
  return undefined;
}
