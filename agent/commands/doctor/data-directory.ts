import { constants, type StatsFs } from "node:fs";
import { access, lstat, readdir, stat, statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { bytes } from "../context.ts";
import { error, type Finding, ok, type Subject, unknown, warn } from "./check.ts";
import { modeOf } from "./secrets.ts";

const MIB = 1024 * 1024;
/** The free-space reserve, and what is written beside the queue. */
const BESIDE = 64 * MIB;
const FEW_INODES = 10_000;

/** statfs(2): magic numbers of file systems on which a queue has no business, or not without a word. */
const NETWORK = "a network file system: locks and fsync there are what its server makes of them";
const KINDS: ReadonlyMap<number, string> = new Map([
  [0x6969, `NFS, ${NETWORK}`],
  [0xff534d42, `SMB, ${NETWORK}`],
  [0xfe534d42, `SMB, ${NETWORK}`],
  [0x517b, `SMB, ${NETWORK}`],
  [0x00c36400, `Ceph, ${NETWORK}`],
  [0x5346414f, `AFS, ${NETWORK}`],
  [0x01021997, `9p, ${NETWORK}`],
  [0x65735546, "FUSE: what fsync means there its program decides"],
  [0x01021994, "tmpfs: it is memory, and gone with the next boot"],
  [0x858458f6, "ramfs: it is memory, and gone with the next boot"],
  [0x794c7630, "overlay, a container's own layer: it is gone with the container"],
]);

export async function checkDataDirectory(subject: Subject): Promise<readonly Finding[]> {
  const { data_dir: dir } = subject.config.service;
  const existing = await nearest(dir);
  const findings = [...(await rights(dir, existing)), ...(await fileSystem(existing))];
  if (findings.some(({ level }) => level === "error")) return findings;
  return [...findings, ...(await room(subject, existing))];
}

/** The directory itself, or what is there of the way to it. */
async function nearest(dir: string): Promise<string> {
  let path = dir;
  while (!(await isThere(path)) && dirname(path) !== path) path = dirname(path);
  return path;
}

async function rights(dir: string, existing: string): Promise<Finding[]> {
  const link = await lstat(existing);
  if (existing === dir && link.isSymbolicLink()) {
    return [error(`${dir} is a symbolic link`, "set service.data_dir to the directory it leads to")];
  }
  const there = await stat(existing);
  if (!there.isDirectory())
    return [error(`${existing} is not a directory`, "set service.data_dir to a directory, or one that can be made")];
  const user = process.getuid?.() ?? 0;
  const name = userInfo().username;
  if (existing === dir && there.uid !== user) {
    const todo =
      user === 0
        ? `check as that user: sudo -u '#${there.uid}' audit-agent doctor …`
        : `chown -R ${name} ${dir}, or run the agent as its owner`;
    return [(user === 0 ? unknown : error)(`${dir} belongs to user ${there.uid}, and this is ${name}`, todo)];
  }
  const mount = await writable(existing);
  if (mount !== undefined) return [mount];
  if (existing !== dir) return [ok(`${dir} is not there yet; ${name} can make it`)];
  if ((there.mode & 0o077) !== 0) {
    const what = `${dir} is open to others (${modeOf(there.mode)}): the audit log lies in it`;
    return [warn(what, `chmod 700 ${dir} (the agent tries to, when it starts)`)];
  }
  return [ok(`${dir} is ${name}'s alone`)];
}

async function writable(path: string): Promise<Finding | undefined> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "EROFS") {
      return error(
        `${path} lies on a file system that is mounted read-only`,
        "mount it for writing, or set service.data_dir to another place",
      );
    }
    return error(
      `${userInfo().username} may not write to ${path}`,
      "install -d -m 700 -o USER the directory for the agent's user, or set service.data_dir to another place",
    );
  }
}

async function fileSystem(path: string): Promise<Finding[]> {
  if (process.platform !== "linux") return [];
  const kind = KINDS.get((await statfs(path)).type);
  if (kind === undefined) return [];
  return [
    warn(`${path} lies on ${kind}`, "set service.data_dir to a directory on a local disk, or a volume that stays"),
  ];
}

async function room({ config }: Subject, path: string): Promise<Finding[]> {
  const { queue, dead_letters, data_dir } = config.service;
  const disk = await statfs(path);
  const free = disk.bavail * disk.bsize;
  const used = await sizeOf(data_dir);
  const wanted = queue.max_bytes + queue.reserve_bytes + dead_letters.max_bytes + BESIDE;
  const missing = wanted - used - free;
  const findings: Finding[] = [];
  if (missing > 0) {
    const what =
      `${bytes(free)} are free for ${bytes(wanted - used)} that may be needed: ` +
      `queue.max_bytes ${bytes(queue.max_bytes)}, reserve_bytes ${bytes(queue.reserve_bytes)}, dead letters ${bytes(dead_letters.max_bytes)}`;
    const todo = `make room for ${bytes(missing)}, or set service.queue.max_bytes lower: a full disk makes the inputs wait before the queue is full`;
    findings.push((free < 2 * queue.segment_bytes + BESIDE ? error : warn)(what, todo));
  } else findings.push(ok(`${bytes(free)} free, ${bytes(wanted - used)} may be needed`));
  return [...findings, ...inodes(disk)];
}

function inodes({ files, ffree }: StatsFs): Finding[] {
  // Some file systems have no such limit and say 0.
  if (files === 0 || ffree > FEW_INODES) return [];
  return [
    warn(`only ${ffree} inodes are free`, "remove files there nobody needs: without inodes nothing can be created"),
  ];
}

/** Of what lies directly in the queue's and the letters' directories; they have no deeper ones of any size. */
async function sizeOf(dir: string): Promise<number> {
  let sum = 0;
  for (const folder of ["queue", "dead-letters"]) {
    const names = await readdir(join(dir, folder)).catch(() => []);
    for (const name of names)
      sum += await stat(join(dir, folder, name))
        .then((file) => file.size)
        .catch(() => 0);
  }
  return sum;
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
