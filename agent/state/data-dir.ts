/** The data directory: one agent's, private, with an id and a node name that outlive every restart. */
import { randomBytes } from "node:crypto";
import { chmod, lstat } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Clock } from "../api/clock.ts";
import type { Emit } from "../api/events.ts";
import { type Disk, messageOf, readSmall, realDisk, writeSmall } from "./disk.ts";
import { DataDirBusyError, lockDirectory } from "./lock.ts";
import { openReserve, type Reserve } from "./reserve.ts";

export { DataDirBusyError };

/** The directory cannot be used as it is; the message says what to do. */
export class DataDirError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DataDirError";
  }
}

export interface DataDirOptions {
  /** `service.node`; where given it wins over the kept one. */
  readonly node?: string | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Size of the free-space reserve in bytes, 4 MiB unless told. */
  readonly reserveBytes?: number;
  readonly disk?: Disk;
}

export interface DataDir {
  readonly path: string;
  /** 32 hex digits, made once. */
  readonly id: string;
  readonly node: string;
  readonly reserve: Reserve;
  /** Gives the lock back. May be called more than once. */
  close(): Promise<void>;
}

interface Identity {
  readonly format: 1;
  readonly id: string;
  readonly node: string;
}

/** Makes or opens it. Throws DataDirBusyError where another agent has it, DataDirError where it cannot be used. */
export async function openDataDir(path: string, options: DataDirOptions): Promise<DataDir> {
  const disk = options.disk ?? realDisk;
  const directory = resolve(path);
  await prepare(disk, directory, options.emit);
  const lock = await lockDirectory(disk, directory).catch((error: unknown) => {
    if (error instanceof DataDirBusyError) throw error;
    throw new DataDirError(`cannot lock the data directory ${directory}: ${messageOf(error)}`);
  });
  await chmod(join(directory, "lock"), 0o600).catch(() => undefined);
  try {
    const identity = await loadIdentity(disk, directory, options);
    const reserve = openReserve(disk, join(directory, "reserve"), options.reserveBytes ?? 4 * 1024 * 1024);
    if (!(await reserve.restore())) {
      options.emit(notice("warn", `no room for the free-space reserve in ${directory}`));
    }
    return {
      path: directory,
      id: identity.id,
      node: options.node ?? identity.node,
      reserve,
      async close() {
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Throws DataDirBusyError where another agent has it. Makes nothing that is not there, and keeps nothing. */
export async function refuseBusy(path: string): Promise<void> {
  const directory = resolve(path);
  if (!(await isThere(join(directory, "lock")))) return;
  const lock = await lockDirectory(realDisk, directory).catch((error: unknown) => {
    if (error instanceof DataDirBusyError) throw error;
    // Whatever else is wrong with it, opening it will say.
  });
  lock?.release();
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Private to its user: what lies here are the audit logs themselves. */
async function prepare(disk: Disk, directory: string, emit: Emit): Promise<void> {
  try {
    await disk.mkdir(directory);
  } catch (error) {
    throw new DataDirError(`cannot make the data directory ${directory}: ${messageOf(error)}`);
  }
  const stat = await lstat(directory);
  if (stat.isSymbolicLink()) {
    throw new DataDirError(`data directory ${directory} is a symbolic link: name the directory it leads to`);
  }
  if (!stat.isDirectory()) throw new DataDirError(`data directory ${directory} is not a directory`);
  await refuseForeign(disk, directory);
  const user = process.getuid?.();
  if (user !== undefined && stat.uid !== user && user !== 0) {
    throw new DataDirError(`data directory ${directory} belongs to user ${stat.uid}, the agent runs as ${user}`);
  }
  if ((stat.mode & 0o077) === 0) return;
  try {
    await chmod(directory, 0o700);
    emit(notice("warn", `data directory ${directory} was open to others; now it is not (0700)`));
  } catch (error) {
    // Volumes of some orchestrators are group-writable by design and refuse chmod: others' writes there are the real danger.
    if ((stat.mode & 0o002) !== 0) {
      throw new DataDirError(`data directory ${directory} is writable by everybody: ${messageOf(error)}`);
    }
    emit(notice("warn", `data directory ${directory} is open to its group or others: ${messageOf(error)}`));
  }
}

/** What a start that was killed at once can leave beside what is there anyway. */
const HARMLESS = new Set(["lost+found", "lock", "lock-journal", "owner.json", "reserve", "queue", "dead-letters"]);

/** A directory of others' files must not be made private, nor filled: `data_dir: /tmp` is a mistake. */
async function refuseForeign(disk: Disk, directory: string): Promise<void> {
  const names = await disk.list(directory);
  if (names.includes("identity.json")) return;
  const foreign = names.find((name) => !HARMLESS.has(name) && !/^(identity|owner)\.json/.test(name));
  if (foreign === undefined) return;
  throw new DataDirError(
    `data directory ${directory} is not the agent's and not empty (it holds ${foreign}): name an empty or a new one`,
  );
}

async function loadIdentity(disk: Disk, directory: string, options: DataDirOptions): Promise<Identity> {
  const file = join(directory, "identity.json");
  const content = await readSmall(disk, file, 64 * 1024);
  const kept = content && parseIdentity(content.toString(), file);
  if (kept) return kept;
  const made: Identity = {
    format: 1,
    id: randomBytes(16).toString("hex"),
    node:
      options.node ??
      (hostname()
        .replace(/[^\w.-]/g, "-")
        .slice(0, 128) ||
        "localhost"),
  };
  await writeSmall(disk, file, Buffer.from(`${JSON.stringify(made)}\n`));
  return made;
}

/** Never made anew over a damaged one: another id would make every record a new one at the destinations. */
function parseIdentity(text: string, file: string): Identity {
  const problem = (why: string) => new DataDirError(`${file}: ${why}; restore it, or remove it to start as a new node`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw problem("damaged");
  }
  if (typeof value !== "object" || value === null || !("format" in value)) throw problem("damaged");
  if (value.format !== 1)
    throw new DataDirError(`${file}: made by a newer version of the agent (format ${value.format})`);
  if (!("id" in value) || !("node" in value)) throw problem("damaged");
  const { id, node } = value;
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id) || typeof node !== "string" || node === "") {
    throw problem("damaged");
  }
  return { format: 1, id, node };
}

function notice(level: "warn" | "info", message: string) {
  return { is: "notice", level, component: "data_dir", message } as const;
}
