/**
 * One agent per data directory.
 *
 * The lock must vanish with its process however that dies, and must hold between containers that share a volume, where process ids and
 * abstract sockets say nothing. Only a lock of the kernel on the file itself does both; Node reaches one through SQLite, whose exclusive
 * transaction is an fcntl lock. Nothing is ever written to that database (its file stays empty), so a full disk cannot stop it either.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Disk, readSmall, writeSmall } from "./disk.ts";

export class DataDirBusyError extends Error {
  /** Process id of the agent that has it, where that could be told (it means something on its own host only). */
  readonly pid: number | undefined;

  constructor(directory: string, owner: { pid: number; host: string } | undefined) {
    const who = owner ? `process ${owner.pid} on ${owner.host}` : "another process";
    super(`data directory ${directory} is in use by another agent (${who}); stop it or set another service.data_dir`);
    this.name = "DataDirBusyError";
    this.pid = owner?.pid;
  }
}

export interface Lock {
  release(): void;
}

const SQLITE_BUSY = 5;

export async function lockDirectory(disk: Disk, directory: string): Promise<Lock> {
  const ownerFile = join(directory, "owner.json");
  const database = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw new DataDirBusyError(directory, parseOwner(await readSmall(disk, ownerFile, 4096).catch(() => undefined)));
  }
  // Who has it is only for the other's error message: a full disk must not keep the agent from starting.
  const owner = JSON.stringify({ pid: process.pid, host: hostname() });
  await writeSmall(disk, ownerFile, Buffer.from(owner)).catch(() => undefined);
  let held = true;
  return {
    release() {
      if (held) database.close();
      held = false;
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

function parseOwner(content: Buffer | undefined): { pid: number; host: string } | undefined {
  try {
    const value: unknown = JSON.parse(content?.toString() ?? "");
    if (typeof value !== "object" || value === null || !("pid" in value) || !("host" in value)) return undefined;
    return { pid: Number(value.pid), host: String(value.host) };
  } catch {
    return undefined;
  }
}
